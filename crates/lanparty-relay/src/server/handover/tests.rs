use super::*;
use lanparty_quic::tls::Identity;
use lanparty_quic::{Congestion, Endpoint};

fn pair() -> (Predecessor, mpsc::Receiver<Wish>, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (predecessor, wanted) = pair_with(vec![socket.try_clone().unwrap()]);
    (predecessor, wanted, socket)
}

fn pair_with(sockets: Vec<UdpSocket>) -> (Predecessor, mpsc::Receiver<Wish>) {
    pair_of(sockets, None)
}

fn pair_of(
    sockets: Vec<UdpSocket>,
    tcp: Option<TcpListener>,
) -> (Predecessor, mpsc::Receiver<Wish>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.handover");
    let listener = UnixListener::bind(&file).unwrap();
    let (wishes, wanted) = mpsc::channel(1);
    let heirs = Heirs::new(listener, sockets, tcp).unwrap();
    heirs.listen(wishes).unwrap();
    let predecessor = Predecessor::find(&file).unwrap().unwrap();
    (predecessor, wanted)
}

#[test]
fn the_socket_comes_over_and_is_the_same_one() {
    let (mut predecessor, _wanted, socket) = pair();
    assert_eq!(predecessor.program().unwrap(), Program::own().unwrap());
    let taken = predecessor.sockets().unwrap();
    let [taken] = &taken[..] else {
        panic!("there is one");
    };
    let address = socket.local_addr().unwrap();
    assert_eq!(taken.local_addr().unwrap(), address);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.send_to(b"hello", address).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(taken.recv(&mut buffer).unwrap(), 5);
    assert_eq!(
        predecessor.program().unwrap(),
        Program::own().unwrap(),
        "it goes on"
    );
}

#[test]
fn the_listener_for_tcp_comes_over_with_who_waits_at_it() {
    let sockets = || vec![UdpSocket::bind("127.0.0.1:0").unwrap()];
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let _caller = std::net::TcpStream::connect(address).unwrap();
    let (predecessor, _wanted) = pair_of(sockets(), Some(tcp));
    let taken = predecessor.tcp().unwrap();
    assert_eq!(taken.local_addr().unwrap(), address);
    taken.accept().unwrap();
    let (without, _wanted) = pair_of(sockets(), None);
    assert!(without.tcp().is_none());
}

#[test]
fn who_does_not_know_that_there_is_tcp_is_not_asked_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.handover");
    let listener = UnixListener::bind(&file).unwrap();
    let older = std::thread::spawn(move || {
        // It ends the conversation, and hears the next one.
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    });
    assert!(Predecessor::find(&file).unwrap().unwrap().tcp().is_none());
    assert_eq!(older.join().unwrap(), "\"listener\"\n");
}

#[test]
fn all_sockets_come_over_in_their_order() {
    for count in [2, 64] {
        let sockets: Vec<_> = (0..count)
            .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        let addresses = |sockets: &[UdpSocket]| -> Vec<_> {
            let sockets = sockets.iter();
            sockets.map(|socket| socket.local_addr().unwrap()).collect()
        };
        let own = addresses(&sockets);
        let (mut predecessor, _wanted) = pair_with(sockets);
        let taken = predecessor.sockets().unwrap();
        assert_eq!(addresses(&taken), own);
        predecessor.has_all(taken.len()).unwrap();
    }
}

#[test]
fn a_relay_from_before_hands_over_one_socket_and_is_asked_for_no_more() {
    let (asker, mut old) = UnixStream::pair().unwrap();
    let mut predecessor = Predecessor {
        lines: BufReader::new(asker),
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    say_with(&old, &Said::Socket, &[socket.as_fd()]).unwrap();
    let taken = predecessor.sockets().unwrap();
    assert_eq!(taken.len(), 1);
    predecessor.has_all(taken.len()).unwrap();
    let mut asked = [0; 64];
    let len = old.read(&mut asked).unwrap();
    assert_eq!(
        &asked[..len],
        b"\"socket\"\n",
        "it would not understand more"
    );
}

#[test]
fn to_a_relay_from_before_all_is_steered_at_the_first_socket() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let identity = Identity::self_signed("lanparty-relay", &Identity::new_key().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let inside = runtime.enter();
    let endpoint = Endpoint::server_with(listen, &identity, Congestion::default(), 4).unwrap();
    let sockets = endpoint.duplicate_sockets().unwrap();
    let address = endpoint.local_address().unwrap();
    drop(inside);
    let (mut predecessor, mut wanted) = pair_with(sockets);
    // It reads one descriptor of the message, and says nothing of the others.
    let first = predecessor.sockets().unwrap().swap_remove(0);
    let relay = std::thread::spawn(move || match wanted.blocking_recv() {
        Some(Wish::Place(answer)) => assert!(answer.send(Legacy::default()).is_ok()),
        _ => panic!("the place was asked for"),
    });
    predecessor.place().unwrap();
    relay.join().unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    first.set_nonblocking(true).unwrap();
    for byte in 0..=255 {
        other.send_to(&[0x40, byte, 1, 2], address).unwrap();
        assert_eq!(first.recv(&mut [0; 8]).unwrap(), 4, "{byte}");
    }
}

#[test]
fn a_place_is_given_once_and_by_the_relay_itself() {
    let (predecessor, mut wanted, _socket) = pair();
    let relay = std::thread::spawn(move || match wanted.blocking_recv() {
        Some(Wish::Place(answer)) => assert!(answer.send(Legacy::default()).is_ok()),
        _ => panic!("the place was asked for"),
    });
    assert_eq!(predecessor.place().unwrap(), Legacy::default());
    relay.join().unwrap();
}

#[test]
fn the_place_of_one_that_has_ended_is_free() {
    let (mut predecessor, wanted, _socket) = pair();
    let sockets = predecessor.sockets().unwrap();
    drop(wanted);
    assert_eq!(predecessor.place().unwrap(), Legacy::default());
    assert!(sockets[0].local_addr().is_ok(), "the socket outlives it");
}

#[test]
fn the_place_is_not_given_to_one_that_has_gone() {
    let heirs = Heirs {
        listener: UnixListener::bind(tempfile::tempdir().unwrap().path().join("x")).unwrap(),
        program: Program::own().unwrap(),
        sockets: vec![UdpSocket::bind("127.0.0.1:0").unwrap()],
        tcp: None,
    };
    let (asker, stream) = UnixStream::pair().unwrap();
    say(&asker, &Ask::Place).unwrap();
    drop(asker);
    let (wishes, wanted) = mpsc::channel(1);
    drop(wanted);
    heirs
        .hear(&stream, &wishes)
        .expect("the relay itself is not asked");
    let (_asker, stream) = UnixStream::pair().unwrap();
    assert!(is_there(&stream));
}

#[test]
fn the_token_is_told_before_the_place_is_asked_for() {
    let (mut predecessor, mut wanted, _socket) = pair();
    let token: AccessToken = "correct-horse-battery".parse().unwrap();
    let theirs = token.clone();
    let relay = std::thread::spawn(move || match wanted.blocking_recv() {
        Some(Wish::Access(answer)) => answer.send(Some(theirs)).unwrap(),
        _ => panic!("the token was asked for"),
    });
    assert_eq!(predecessor.access().unwrap(), Some(token));
    relay.join().unwrap();
}

#[test]
fn settings_are_read_again_by_the_one_that_runs() {
    let (mut predecessor, mut wanted, _socket) = pair();
    let wrong = || Err("line 3 is wrong".to_owned());
    std::thread::spawn(move || {
        if let Some(Wish::Settings(answer)) = wanted.blocking_recv() {
            answer.send(wrong()).unwrap();
        }
    });
    assert_eq!(predecessor.read_settings().unwrap(), wrong());
}

#[test]
fn nobody_there_is_no_predecessor_and_nonsense_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.handover");
    assert!(Predecessor::find(&file).unwrap().is_none());
    let listener = UnixListener::bind(&file).unwrap();
    let mut predecessor = Predecessor::find(&file).unwrap().unwrap();
    let (mut other, _) = listener.accept().unwrap();
    other.write_all(b"\"socket\"\n").unwrap();
    assert!(predecessor.sockets().is_err(), "no socket came with it");
    other.write_all(b"??\n").unwrap();
    assert!(predecessor.place().is_err(), "it may run still");
}
