//! Accounts of this machine's own, which are those in its list; a directory's (sssd, systemd-homed) are not.

use std::fs;

/// Who has an account on this machine.
const ACCOUNTS: &str = "/etc/passwd";

/// What the account with this number is called.
pub fn name_of(uid: u32) -> Option<String> {
    let accounts = fs::read_to_string(ACCOUNTS).ok()?;
    find(&accounts, uid).map(str::to_owned)
}

/// The name in passwd(5)'s lines.
fn find(accounts: &str, uid: u32) -> Option<&str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        let is_it = number.parse() == Ok(uid);
        (is_it && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_called_by_their_names() {
        let accounts =
            "root:x:0:0::/root:/bin/sh\n\nhalf:x\nanna:x:1000:1000:Anna,,,:/home/anna:/bin/bash\n";
        assert_eq!(find(accounts, 1000), Some("anna"));
        assert_eq!(find(accounts, 0), Some("root"));
        assert_eq!(find(accounts, 1), None);
        assert_eq!(name_of(4_000_000_000), None);
    }
}
