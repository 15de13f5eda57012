//! Which frames a gateway's socket hears: those of the LAN, and where this machine takes part its own.
//!
//! What a gateway writes to its leg ([`super::leg`]) shows up at the interface as if the wire had brought it, for every
//! packet socket there. No gateway may hear that, neither the one that has written it, which would take it for a loop,
//! nor another with a room of its own, which would take players for machines of the LAN. So the leg marks it, and
//! the kernel sorts it out before it costs anything (`Documentation/networking/filter.rst`).

use super::leg::{LEG_MAC, MARK};
use lanparty_proto::MacAddr;
use socket2::SockFilter;

/// What can be seen of a frame.
#[derive(Debug, Clone, Copy)]
enum Field {
    /// Four bytes of it.
    Word(u32),
    /// Two bytes of it.
    Half(u32),
    /// One byte of it.
    Byte(u32),
    /// What the kernel knows beside it (SKF_AD_…).
    Beside(i32),
}

/// A question to a field.
#[derive(Debug, Clone, Copy)]
enum Test {
    Is(u32),
    IsNot(u32),
    /// One of these bits is set.
    Has(u32),
}

/// What is to be done with a frame of which all this is true.
struct Rule {
    tests: Vec<(Field, Test)>,
    passes: bool,
}

/// For a gateway in whose party this machine does not take part, or not yet.
pub(super) fn of_lan() -> Vec<SockFilter> {
    assemble(&not_from_a_leg(), true)
}

/// For a gateway whose machine takes part, with this MAC: its frames go to the room if somebody there may want them.
/// Players' MACs are administered locally, so what goes to a router or a file server is not even looked at.
///
/// They are heard when they leave. When they come in by the wire, the LAN repeats them. A frame with the source
/// of another is one of another gateway's, or of a virtual machine behind a macvlan.
pub(super) fn of_lan_and_machine(nic: MacAddr) -> Vec<SockFilter> {
    const OUTGOING: u32 = libc::PACKET_OUTGOING as u32;
    const TO_A_GROUP_OR_LOCAL: u32 = 0x03;
    let [from_high, from_low] = mac_at(6, nic);
    let (leaves, comes) = (
        (Field::Beside(libc::SKF_AD_PKTTYPE), Test::Is(OUTGOING)),
        (Field::Beside(libc::SKF_AD_PKTTYPE), Test::IsNot(OUTGOING)),
    );
    let in_a_vlan = (Field::Beside(libc::SKF_AD_VLAN_TAG_PRESENT), Test::IsNot(0));
    let wanted = (Field::Byte(0), Test::Has(TO_A_GROUP_OR_LOCAL));
    let mut rules = not_from_a_leg();
    rules.extend([
        refuse([comes, from_high, from_low]),
        pass([comes]),
        refuse([leaves, in_a_vlan]),
        pass([from_high, from_low, wanted]),
    ]);
    assemble(&rules, false)
}

fn not_from_a_leg() -> Vec<Rule> {
    let tagged = [
        (Field::Beside(libc::SKF_AD_VLAN_TAG_PRESENT), Test::IsNot(0)),
        (
            Field::Beside(libc::SKF_AD_VLAN_TPID),
            Test::Is(MARK.tag.into()),
        ),
        (
            Field::Beside(libc::SKF_AD_VLAN_TAG),
            Test::Is(MARK.control.into()),
        ),
    ];
    vec![refuse(mac_at(0, LEG_MAC)), refuse(tagged)]
}

fn mac_at(offset: u32, mac: MacAddr) -> [(Field, Test); 2] {
    let [a, b, c, d, e, f] = mac.octets();
    let (high, low) = (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([0, 0, e, f]),
    );
    [
        (Field::Word(offset), Test::Is(high)),
        (Field::Half(offset + 4), Test::Is(low)),
    ]
}

fn refuse(tests: impl Into<Vec<(Field, Test)>>) -> Rule {
    let (tests, passes) = (tests.into(), false);
    Rule { tests, passes }
}

fn pass(tests: impl Into<Vec<(Field, Test)>>) -> Rule {
    let (tests, passes) = (tests.into(), true);
    Rule { tests, passes }
}

/// The rules as the kernel wants them: the first whose tests are all true decides, `otherwise` where none does.
fn assemble(rules: &[Rule], otherwise: bool) -> Vec<SockFilter> {
    let mut program = Vec::new();
    for Rule { tests, passes } in rules {
        for (place, &(field, test)) in tests.iter().enumerate() {
            // Behind this test: a load and a jump for each that follows, and the verdict.
            let rest = 2 * (tests.len() - place - 1) + 1;
            let past = u8::try_from(rest).expect("a rule has few tests");
            program.push(load(field));
            program.push(jump(test, past));
        }
        program.push(verdict(*passes));
    }
    program.push(verdict(otherwise));
    program
}

fn load(field: Field) -> SockFilter {
    let (size, at) = match field {
        Field::Word(at) => (libc::BPF_W, at),
        Field::Half(at) => (libc::BPF_H, at),
        Field::Byte(at) => (libc::BPF_B, at),
        Field::Beside(what) => (libc::BPF_W, (libc::SKF_AD_OFF + what).cast_unsigned()),
    };
    instruction(libc::BPF_LD | size | libc::BPF_ABS, 0, 0, at)
}

/// Goes on where the test is true, else past the rule.
fn jump(test: Test, past: u8) -> SockFilter {
    let (how, value, yes, no) = match test {
        Test::Is(value) => (libc::BPF_JEQ, value, 0, past),
        Test::IsNot(value) => (libc::BPF_JEQ, value, past, 0),
        Test::Has(bits) => (libc::BPF_JSET, bits, 0, past),
    };
    instruction(libc::BPF_JMP | how | libc::BPF_K, yes, no, value)
}

/// All of the frame, or nothing.
fn verdict(passes: bool) -> SockFilter {
    let bytes = if passes { u32::MAX } else { 0 };
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, bytes)
}

fn instruction(code: u32, yes: u8, no: u8, value: u32) -> SockFilter {
    let code = u16::try_from(code).expect("codes are small");
    SockFilter::new(code, yes, no, value)
}
