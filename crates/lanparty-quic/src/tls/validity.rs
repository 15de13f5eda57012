//! When a certificate ends. rustls checks that and does not tell, and nothing else of a certificate is wanted here.

/// DER's tags of what stands before the end, and of the two ways to write a time (RFC 5280 §4.1).
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end in seconds since 1970; `None` for what is no certificate.
pub(super) fn ends_at(der: &[u8]) -> Option<i64> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (fields, _) = expect(certificate, SEQUENCE)?;
    // The version may be left out.
    let fields = expect(fields, VERSION).map_or(fields, |(_, rest)| rest);
    let (_serial, fields) = expect(fields, INTEGER)?;
    let (_algorithm, fields) = expect(fields, SEQUENCE)?;
    let (_issuer, fields) = expect(fields, SEQUENCE)?;
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (_, _, end) = element(validity)?;
    let (tag, end, _) = element(end)?;
    time(tag, end)
}

/// What is in the first element, if it has this tag, and what follows it.
fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, der) = der.split_first()?;
    let (&first, der) = der.split_first()?;
    let (len, der) = match first {
        0..=0x7f => (usize::from(first), der),
        0x81..=0x84 => {
            let (bytes, der) = der.split_at_checked(usize::from(first & 0x7f))?;
            let len = bytes
                .iter()
                .fold(0, |len, &byte| (len << 8) | usize::from(byte));
            (len, der)
        }
        _ => return None,
    };
    let (content, rest) = der.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ` (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    let number = |digits: &[u8]| -> Option<i64> {
        let is_number = digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(digits)
            .ok()
            .filter(|_| is_number)?
            .parse()
            .ok()
    };
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (year + if year < 50 { 2000 } else { 1900 }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let parts: Option<Vec<_>> = rest.chunks(2).map(number).collect();
    let [month, day, hour, minute, second] = parts?[..] else {
        return None;
    };
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then(|| ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970 in the Gregorian calendar, whose years begin in March here so that a leap day is their last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let key = KeyPair::generate().unwrap();
        for (date, seconds) in [
            ((1999, 12, 31), 946_598_400),
            ((2026, 11, 30), 1_795_996_800),
            ((2048, 2, 29), 2_466_547_200),
            ((2050, 1, 1), 2_524_608_000),
            ((4096, 1, 1), 67_090_118_400),
        ] {
            let mut params = CertificateParams::new(vec!["relay".to_owned()]).unwrap();
            params.not_after = date_time_ymd(date.0, date.1, date.2);
            let certificate = params.self_signed(&key).unwrap();
            assert_eq!(ends_at(certificate.der()), Some(seconds), "{date:?}");
            let der = certificate.der();
            for cut in 0..der.len() {
                assert_eq!(ends_at(&der[..cut]), None);
            }
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for der in [
            &b""[..],
            b"0",
            b"0\x80",
            b"0\x84\xff\xff\xff\xff",
            b"not a certificate",
        ] {
            assert_eq!(ends_at(der), None);
        }
        assert_eq!(time(UTC_TIME, b"2611300000Z"), None);
        assert_eq!(time(UTC_TIME, b"269930000000Z"), None);
        assert_eq!(time(UTC_TIME, b"+6-130+0+0+0Z"), None);
    }
}
