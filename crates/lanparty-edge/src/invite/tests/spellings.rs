//! What chats, mails, editors, shells and terminals make of a link, each as bytes; and what nobody can read any more.

use super::*;

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Lines of so many characters, as programs break a word that is too long.
fn wrapped(text: &str, width: usize, end: &str, prefix: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let lines = chars
        .chunks(width)
        .map(|line| prefix.to_owned() + &line.iter().collect::<String>());
    lines.collect::<Vec<_>>().join(end)
}

fn quoted_printable(text: &str) -> String {
    wrapped(&text.replace('=', "=3D"), 75, "=\r\n", "")
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// Every spelling of this link, and what it is called.
pub(super) fn of(link: &str) -> Vec<(&'static str, Vec<u8>)> {
    let html = link.replace('&', "&amp;");
    let all = encoded(link);
    let twice = encoded(&all);
    let tracked = format!("{all}&data=05%7C02%7C%7C9f1&sdata=x%2By%3D&reserved=0");
    let page = link
        .strip_prefix("lanparty://")
        .filter(|_| !link.contains('#'));
    let page = page.map_or(link.to_owned(), |rest| {
        format!("https://lan.example.net/join/#{rest}")
    });
    let screen = wrapped(link, 80, "\n", "");
    let proofpoint = encoded(link).replace('-', "%2D").replace('_', "%5F");
    let proofpoint = proofpoint.replace("%2F", "_").replace('%', "-");
    let mut spellings: Vec<(&'static str, String)> = vec![
        ("as it is", link.into()),
        ("a line", format!("{link}\n")),
        ("a line of DOS", format!("{link}\r\n")),
        ("blanks around", format!(" \t{link}  \n\n")),
        ("a message before", format!("Hey! join: {link}")),
        (
            "a message after",
            format!("{link} is the party, see you at 20:00!"),
        ),
        (
            "a message around",
            format!("Hello!\n\nJoin here: {link} tonight\nSee you!\n-- \nBert"),
        ),
        ("a message below", format!("{link}\nSee you there\n")),
        (
            "a message that speaks of links",
            format!("It begins with lanparty:// like this: {link}"),
        ),
        (
            "another link before",
            format!("https://example.net/#news first, then {link}"),
        ),
        (
            "another link below",
            format!("{link}\nhttps://example.net/?a=1&name=x"),
        ),
        ("angles", format!("<{link}>")),
        ("a name and angles", format!("Party <{link}> (tonight)")),
        ("URL: and angles", format!("<URL:{link}>")),
        ("double quotes", format!("\"{link}\"")),
        ("single quotes", format!("'{link}'")),
        ("English quotes", format!("“{link}”")),
        ("English single quotes", format!("‘{link}’")),
        ("German quotes", format!("„{link}“")),
        ("German single quotes", format!("‚{link}‘")),
        ("guillemets", format!("«{link}»")),
        ("French guillemets", format!("« {link} »")),
        ("single guillemets", format!("‹{link}›")),
        ("CJK brackets", format!("「{link}」")),
        ("CJK double brackets", format!("『{link}』")),
        ("CJK lenses", format!("【{link}】")),
        ("CJK angles", format!("《{link}》")),
        ("wide parentheses", format!("（{link}）")),
        ("a CJK sentence", format!("参加：{link}。")),
        ("backticks", format!("`{link}`")),
        ("two backticks", format!("``{link}``")),
        ("a block of code", format!("```\n{link}\n```")),
        (
            "a block of code with its language",
            format!("```text\n{link}\n```\n"),
        ),
        ("bold", format!("**{link}**")),
        ("bold in WhatsApp", format!("*{link}*")),
        ("italics", format!("_{link}_")),
        ("bold italics", format!("***{link}***")),
        ("underlined", format!("__{link}__")),
        ("struck out", format!("~~{link}~~")),
        ("hidden in Discord", format!("||{link}||")),
        ("parentheses", format!("({link})")),
        ("brackets", format!("[{link}]")),
        ("braces", format!("{{{link}}}")),
        ("a link in Markdown", format!("[join the party]({link})")),
        (
            "a link in Markdown with angles",
            format!("[join](<{link}>)"),
        ),
        (
            "a link in Markdown that shows itself",
            format!("[{link}]({link})"),
        ),
        ("a link in Slack", format!("<{link}|join>")),
        ("a list", format!("* {link}\n* bring cables\n")),
        ("a table", format!("| link | {link} |\n| --- | --- |")),
        ("HTML", format!("<p>Join <a href=\"{html}\">here</a>!</p>")),
        (
            "HTML with single quotes",
            format!("<a href='{html}'>{html}</a>"),
        ),
        ("HTML without quotes", format!("<a href={html} >here</a>")),
        ("&amp;", html.clone()),
        ("&AMP;", link.replace('&', "&AMP;")),
        ("&#38;", link.replace('&', "&#38;")),
        ("&#x26;", link.replace('&', "&#x26;")),
        ("&amp;amp;", link.replace('&', "&amp;amp;")),
        (
            "entities for everything",
            link.chars().map(|c| format!("&#{};", c as u32)).collect(),
        ),
        (
            "a quoted HTML mail",
            format!("&gt; {html}&nbsp;<br>&gt; see you"),
        ),
        ("<wbr>", format!("{}<wbr>{}", &link[..30], &link[30..])),
        ("a full stop", format!("Join {link}.")),
        ("a comma", format!("With {link}, tonight")),
        ("an exclamation mark", format!("Join {link}!")),
        ("three exclamation marks", format!("{link}!!!")),
        ("a semicolon", format!("{link};")),
        ("a question mark", format!("Do you have {link}?")),
        ("a colon", format!("{link}: that is it")),
        ("an ellipsis", format!("{link}…")),
        ("three full stops", format!("Join {link}...")),
        ("a parenthesis and a full stop", format!("(see {link}).")),
        ("a trailing &", format!("{link}&")),
        ("a mark of byte order", format!("\u{feff}{link}")),
        (
            "zero-width spaces around",
            format!("\u{200b}{link}\u{200b}"),
        ),
        ("zero-width spaces inside", wrapped(link, 9, "\u{200b}", "")),
        (
            "zero-width joiners inside",
            wrapped(link, 7, "\u{200d}", ""),
        ),
        ("word joiners inside", wrapped(link, 5, "\u{2060}", "")),
        ("soft hyphens inside", wrapped(link, 11, "\u{ad}", "")),
        (
            "marks of direction around",
            format!("\u{202a}{link}\u{202c}\u{200e}"),
        ),
        ("isolates around", format!("\u{2066}{link}\u{2069}")),
        ("no-break spaces around", format!("\u{a0}{link}\u{a0}")),
        (
            "narrow no-break spaces around",
            format!("join\u{202f}{link}\u{202f}!"),
        ),
        ("an em space behind", format!("{link}\u{2003}now")),
        (
            "wide letters",
            link.chars()
                .map(|c| char::from_u32(c as u32 + 0xfee0).unwrap())
                .collect(),
        ),
        ("no-break hyphens", link.replace('-', "\u{2011}")),
        ("mail of 76", wrapped(link, 76, "\r\n", "")),
        ("mail of 72", wrapped(link, 72, "\n", "")),
        ("mail of 76, flowed", wrapped(link, 76, " \r\n", "")),
        (
            "a message and mail of 76",
            format!("Hello,\n\n{}\n\nBert", wrapped(link, 76, "\n", "")),
        ),
        ("an answer", format!("> {link}\n\nthanks!")),
        (
            "an answer to an answer",
            format!("> > {link}\n> yes\nthanks!"),
        ),
        ("an answer that is wrapped", wrapped(link, 70, "\n", "> ")),
        (
            "an answer to a wrapped answer",
            wrapped(link, 68, "\r\n", ">> "),
        ),
        ("lines of an indented mail", wrapped(link, 72, "\n", "    ")),
        ("quoted-printable", quoted_printable(link)),
        (
            "quoted-printable HTML",
            quoted_printable(&format!("<a href=\"{html}\">x</a>")),
        ),
        ("%23", link.replace('#', "%23")),
        ("%26", link.replace('&', "%26")),
        ("%3D", link.replace('=', "%3D")),
        ("%3d", link.replace('=', "%3d")),
        (
            "%23, %26, %3D",
            link.replace('%', "%25")
                .replace('#', "%23")
                .replace('&', "%26")
                .replace('=', "%3D"),
        ),
        ("encoded", all.clone()),
        ("encoded twice", twice.clone()),
        (
            "encoded, in small letters",
            all.replace("%3A", "%3a")
                .replace("%2F", "%2f")
                .replace("%3D", "%3d"),
        ),
        ("one slash", link.replacen("://", ":/", 1)),
        ("three slashes", link.replacen("://", ":///", 1)),
        ("capitals", link.replacen("lanparty", "LANPARTY", 1)),
        ("a capital", link.replacen("lanparty", "Lanparty", 1)),
        (
            "backslashes of Markdown",
            link.replace('_', "\\_")
                .replace('&', "\\&")
                .replace('#', "\\#")
                .replace('-', "\\-"),
        ),
        (
            "JSON",
            format!(
                "{{\"link\":\"{}\"}}",
                link.replace('/', "\\/")
                    .replace('&', "\\u0026")
                    .replace('=', "\\u003d")
            ),
        ),
        ("an editor's dashes", link.replace("--", "–")),
        (
            "Outlook",
            format!("https://eur03.safelinks.protection.outlook.com/?url={tracked}"),
        ),
        (
            "Outlook in HTML",
            format!(
                "<a href=\"https://eur03.safelinks.protection.outlook.com/?url={}\">x</a>",
                tracked.replace('&', "&amp;")
            ),
        ),
        (
            "Outlook as text",
            format!("Join<https://nam02.safelinks.protection.outlook.com/?url={tracked}> here"),
        ),
        (
            "Teams",
            format!(
                "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/1/atp-safelinks.html?url={all}&locale=en-us&dest=x"
            ),
        ),
        (
            "Slack",
            format!("https://slack-redir.net/link?url={all}&v=3"),
        ),
        (
            "Google",
            format!("https://www.google.com/url?q={all}&sa=D&source=editors&ust=1&usg=AOv"),
        ),
        (
            "Steam",
            format!("https://steamcommunity.com/linkfilter/?u={all}"),
        ),
        (
            "a redirection of a redirection",
            format!(
                "https://www.google.com/url?q={}&sa=D",
                encoded(&format!("https://l.example/?u={all}&h=1"))
            ),
        ),
        (
            "Proofpoint 2",
            format!("https://urldefense.proofpoint.com/v2/url?u={proofpoint}&d=DwMFAg&c=x&r=y&e="),
        ),
        (
            "Proofpoint 3",
            format!(
                "https://urldefense.com/v3/__{}__;I{}!!Abc!x$",
                link.replace('#', "*"),
                "w"
            ),
        ),
        ("pasted twice", format!("{link}{link}")),
        ("pasted twice with a blank", format!("{link} {link}")),
        ("pasted twice with a line", format!("{link}\n{link}\n")),
        ("a page", page.clone()),
        ("a page in a message", format!("Join: {page}, or {link}.")),
        ("a page in angles", format!("<{page}>")),
        (
            "a page behind Outlook",
            format!(
                "https://eur03.safelinks.protection.outlook.com/?url={}&data=05",
                encoded(&page)
            ),
        ),
        (
            "a page with a tracker",
            page.replace("/#", "/?fbclid=IwAR0&utm_source=x#"),
        ),
        ("a page twice", format!("{page}{page}")),
        (
            "a terminal's screen",
            format!(
                "$ lanparty-gateway invite --relay r\n{link}\n\n█▀▀▀▀▀█ ▀█▄█ █▀▀▀▀▀█\n█ ███ █ ▄▀ ▀ █ ███ █\n"
            ),
        ),
        (
            "a terminal's screen of 80",
            format!("# lanparty-gateway host\n{screen}\n\n█▀▀▀▀▀█ ▀█▄█ █▀▀▀▀▀█\n"),
        ),
        (
            "a terminal's colours",
            format!("\x1b[1m{link}\x1b[0m\n\x1b[47m\x1b[30m█▀▀▀▀▀█\x1b[0m"),
        ),
        (
            "a terminal's link",
            format!("\x1b]8;;{link}\x1b\\here\x1b]8;;\x1b\\"),
        ),
        (
            "a prompt and a quoted word",
            format!("lanparty-client --dhcp '{link}'"),
        ),
        (
            "a desktop file's",
            format!("[InternetShortcut]\r\nURL={link}\r\n"),
        ),
        (
            "an e-mail's header",
            format!("Subject: party\r\nX-Join: {link}\r\n\r\nHi"),
        ),
        (
            "a chat's log",
            format!("[20:14] <bert> {link}\n[20:15] <anna> ok"),
        ),
        ("a null behind", format!("{link}\0")),
    ];
    if link.contains("#key=") {
        let key = link
            .split_once("#key=")
            .map(|(_, rest)| rest[..22].to_owned())
            .unwrap();
        let padded = link.replacen(&key, &format!("{key}=="), 1);
        spellings.push(("padding", padded.clone()));
        spellings.push(("padding, encoded", padded.replacen("==", "%3D%3D", 1)));
        let (place, fields) = link.split_once('#').unwrap();
        let standard = fields.split('&').map(|field| match field.split_once('=') {
            Some((name @ ("key" | "host" | "pin"), bits)) => {
                format!("{name}={}", bits.replace('-', "+").replace('_', "/"))
            }
            _ => field.to_owned(),
        });
        let standard = standard.collect::<Vec<_>>().join("&");
        spellings.push(("the standard alphabet", format!("{place}#{standard}")));
        spellings.push(("a slash before the #", format!("{place}/#{fields}")));
        let lines = fields.replace('&', "\n&");
        spellings.push(("a line for each field", format!("{place}#{lines}")));
        spellings.push((
            "blanks before each field",
            format!("{place}#{}", fields.replace('&', " &")),
        ));
    } else {
        spellings.push(("blanks inside", wrapped(link, 13, " ", "")));
        spellings.push(("narrow lines", wrapped(link, 20, "\n", "")));
        spellings.push(("narrow lines of an answer", wrapped(link, 20, "\n", "> ")));
        spellings.push(("no-break spaces inside", wrapped(link, 21, "\u{a0}", "")));
        spellings.push(("small letters", link.to_lowercase()));
        spellings.push(("great letters", link.to_uppercase()));
    }
    let mut spellings: Vec<_> = spellings
        .into_iter()
        .map(|(how, text)| (how, text.into_bytes()))
        .collect();
    let line = format!("Join: {link}\r\n");
    let marked = format!("\u{feff}{line}");
    spellings.push(("UTF-16 of PowerShell", utf16(&marked, u16::to_le_bytes)));
    spellings.push((
        "UTF-16 of the other order",
        utf16(&marked, u16::to_be_bytes),
    ));
    spellings.push(("UTF-16 without its mark", utf16(&line, u16::to_le_bytes)));
    spellings.push((
        "UTF-16 of the other order without its mark",
        utf16(&line, u16::to_be_bytes),
    ));
    spellings.push((
        "UTF-16 with a half at its end",
        utf16(&marked, u16::to_le_bytes)
            .into_iter()
            .chain([b'x'])
            .collect(),
    ));
    spellings.push((
        "a letter of Latin-1 before",
        [&b"Soir\xe9e: "[..], link.as_bytes()].concat(),
    ));
    spellings
}

#[test]
fn a_link_is_found_in_every_spelling() {
    let invites = [
        at("relay.example.net:4433"),
        at("[2001:db8::7]:4433"),
        Invite {
            name: Some("Friday night & more".into()),
            expires: Some(1_790_000_000),
            ..at("203.0.113.7")
        },
        Invite {
            host: None,
            pin: None,
            ..at("r.example")
        },
        others::five_relays(),
    ];
    let mut failed = Vec::new();
    for invite in &invites {
        // The old form knows one relay.
        let old = invite.others.is_empty().then(|| old_link(invite));
        for link in [invite.reveal()].into_iter().chain(old) {
            let spellings = of(&link);
            assert!(spellings.len() > 140, "{}", spellings.len());
            for (how, text) in spellings {
                let found = Invite::find_in_bytes(&text);
                if found.as_ref() != Ok(invite) {
                    failed.push(format!(
                        "{how}: {found:?}\n{}",
                        String::from_utf8_lossy(&text)
                    ));
                }
            }
        }
    }
    assert!(
        failed.is_empty(),
        "{} of them:\n{}",
        failed.len(),
        failed.join("\n\n")
    );
}

#[test]
fn what_is_not_whole_is_named() {
    let invite = at("relay.example.net:4433");
    let (new, old) = (invite.reveal(), old_link(&invite));
    let other = Invite {
        room: "MONDAY".parse().unwrap(),
        ..invite.clone()
    };
    let words = |text: &str| text.to_owned();
    use InviteError::{Cut, Damaged, Missing, Several};
    for (text, error) in [
        (words(""), Missing),
        (words("Hey! join: lanparty://"), Missing),
        (
            words("see https://example.net/a/b#c/d/e and lanparty-client"),
            Missing,
        ),
        (words("https://github.com/x/y#readme"), Missing),
        (new[..50].to_owned(), Cut),
        (
            format!("Hey! join: {} tonight", &new[..new.len() - 1]),
            Damaged,
        ),
        (new.replacen("FRIDAY", "FRIDAX", 1), Damaged),
        (new.replacen("4433", "443", 1), Damaged),
        (old[..60].to_owned(), Cut),
        (format!("Join {} tonight", &old[..70]), Cut),
        (old.replacen("&pin", "&p", 1), Damaged),
        (old.replacen("&pin", "pin", 1), Damaged),
        (old.replacen("&host=", "&", 1), Cut),
        (old.replacen("&host", "&%68ost%", 1), Damaged),
        (format!("{new} {}", other.reveal()), Several),
        (format!("{new}\n{}", old_link(&other)), Several),
        (format!("{old}{}", old_link(&other)), Several),
        (
            format!(
                "https://x.example/#{}",
                &new["lanparty://".len()..new.len() - 2]
            ),
            Damaged,
        ),
    ] {
        assert_eq!(Invite::find(&text), Err(error), "{text}");
        assert_eq!(
            Invite::find(&format!("Hello!\n{text}\n")),
            Err(error),
            "{text}"
        );
    }
    let whole_first = format!("{new} and {}", &old[..80]);
    assert_eq!(Invite::find(&whole_first), Ok(invite.clone()));
    assert_eq!(Invite::find(&format!("{new}\n{old}")), Ok(invite));
}
