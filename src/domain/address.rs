//! Addresses: an e-mail address or an E.164 number, normalised once, redacted ever after.

use std::fmt;

use phonenumber::country;
use serde::{Deserialize, Serialize};

use super::text::words;

words! {
    /// How a message reaches a person.
    Channel {
        /// Electronic mail.
        Email = "email",
        /// Text messages.
        Sms = "sms",
    }
}

/// The longest e-mail address there is (RFC 5321, 4.5.3.1).
const LONGEST: usize = 254;

/// A normalised address on one channel.
///
/// `Display` and `Debug` show just enough to tell two apart on a screen.
///
/// ```
/// use listwarden::domain::Address;
/// let address = Address::email(" Ann.Lee@Mail.Test ")?;
/// assert_eq!(address.expose(), "ann.lee@mail.test");
/// assert_eq!(address.to_string(), "a***@m***");
/// assert!(Address::email("ann@mail.test\nBcc: all@mail.test").is_err());
/// # Ok::<(), listwarden::domain::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    channel: Channel,
    text: String,
}

/// Why a text is no address. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// A control character, such as a line break, stands in it.
    #[error("the address holds a control character or a space")]
    Unprintable,
    /// Not of the form `name@domain`.
    #[error("the address is not of the form name@domain")]
    Shape,
    /// Mailbox providers and Mailchimp refuse letters outside ASCII before the `@`.
    #[error("the part before the @ holds letters outside ASCII, which list providers refuse")]
    LocalPart,
    /// The domain is not a valid internationalised domain name.
    #[error("the part after the @ is not a valid domain name")]
    Domain,
    /// Longer than RFC 5321 allows.
    #[error("the address is longer than 254 characters")]
    TooLong,
    /// Not a number that the country's numbering plan knows.
    #[error("not a valid phone number: give it as +44… or in the clinic's national form")]
    Number,
}

impl Address {
    /// Parses an e-mail address: trimmed, lower-cased, the domain in its ASCII form.
    pub fn email(raw: &str) -> Result<Self, AddressError> {
        let raw = raw.trim();
        if raw.is_empty() {
            return Err(AddressError::Empty);
        }
        if raw.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(AddressError::Unprintable);
        }
        let (local, domain) = raw.rsplit_once('@').ok_or(AddressError::Shape)?;
        if !local.is_ascii() {
            return Err(AddressError::LocalPart);
        }
        if !local_part_is_sound(local) {
            return Err(AddressError::Shape);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| AddressError::Domain)?;
        if !domain.contains('.') || domain.ends_with('.') {
            return Err(AddressError::Domain);
        }
        let text = format!("{}@{domain}", local.to_ascii_lowercase());
        if text.len() > LONGEST {
            return Err(AddressError::TooLong);
        }
        Ok(Self { channel: Channel::Email, text })
    }

    /// Parses a phone number into E.164, national forms by `country` (ISO 3166, such as `GB`).
    ///
    /// A number that names its country, by `+` or dialled abroad from `country`, is read by its own country's rules,
    /// and what was taken is taken again as it is: a provider that gives E.164 back names the same person.
    pub fn mobile(raw: &str, country: Option<&str>) -> Result<Self, AddressError> {
        let raw = raw.trim();
        if raw.is_empty() {
            return Err(AddressError::Empty);
        }
        let country = country.and_then(|c| c.parse::<country::Id>().ok());
        let e164 = |text: &str, country| {
            let number = phonenumber::parse(country, text).ok().filter(phonenumber::is_valid);
            let number = number.ok_or(AddressError::Number)?;
            Ok(number.format().mode(phonenumber::Mode::E164).to_string())
        };
        let text = match country.and_then(|country| dialled_abroad(raw, country)) {
            Some(foreign) => e164(&foreign, None)?,
            None if raw.contains('+') => e164(raw, None)?,
            None => e164(raw, country)?,
        };
        if text != raw && e164(&text, None)? != text {
            return Err(AddressError::Number);
        }
        Ok(Self { channel: Channel::Sms, text })
    }

    /// Parses an address of `channel`.
    pub fn parse(channel: Channel, raw: &str, country: Option<&str>) -> Result<Self, AddressError> {
        match channel {
            Channel::Email => Self::email(raw),
            Channel::Sms => Self::mobile(raw, country),
        }
    }

    /// Takes back a text that `expose` gave to the store.
    #[must_use]
    pub fn stored(channel: Channel, text: String) -> Self {
        Self { channel, text }
    }

    /// Returns the channel this address is on.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// Returns the address itself, for a provider or a person entitled to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

/// Writes with `+` a number that is dialled with the international prefix of `country`, such as `00` or `011`.
///
/// The library would strip the trunk digit of `country` from what follows, which is none where the number lives.
fn dialled_abroad(raw: &str, country: country::Id) -> Option<String> {
    let prefix = phonenumber::metadata::DATABASE.by_id(country.as_ref())?.international_prefix()?;
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    let dialled = prefix.find(&digits).filter(|found| found.start() == 0 && !raw.contains('+'))?;
    let (last, _) = raw
        .char_indices()
        .filter(|(_, c)| c.is_ascii_digit())
        .nth(dialled.end().checked_sub(1)?)?;
    let rest = raw[last + 1..].trim_start_matches(|c: char| !c.is_ascii_digit());
    (!rest.starts_with('0')).then(|| format!("+{rest}"))
}

fn local_part_is_sound(local: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = match (self.channel, self.text.split_once('@')) {
            (Channel::Email, Some((local, domain))) => {
                format!("{}***@{}***", first(local), first(domain))
            }
            _ => format!("{}***", self.text.get(..3).unwrap_or_default()),
        };
        f.pad(&redacted)
    }
}

fn first(text: &str) -> &str {
    text.get(..1).unwrap_or_default()
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_matched_whatever_its_case_and_script() {
        let one = Address::email("ANN@Bücher.Test").unwrap();
        assert_eq!(one, Address::email("ann@xn--bcher-kva.test").unwrap());
    }

    #[test]
    fn what_a_provider_would_refuse_is_refused_at_the_door() {
        for (raw, why) in [
            ("", AddressError::Empty),
            ("ann", AddressError::Shape),
            ("@mail.test", AddressError::Shape),
            ("ann@mail", AddressError::Domain),
            ("änn@mail.test", AddressError::LocalPart),
            ("ann@mail.test\nx", AddressError::Unprintable),
            ("a b@mail.test", AddressError::Unprintable),
            ("ann..lee@mail.test", AddressError::Shape),
            ("\"ann\"@mail.test", AddressError::Shape),
            ("ann@ma_il.test", AddressError::Domain),
        ] {
            assert_eq!(Address::email(raw), Err(why), "{raw:?}");
        }
    }

    #[test]
    fn a_national_number_becomes_e164_by_the_clinics_country() {
        let number = Address::mobile("07911 123456", Some("GB")).unwrap();
        assert_eq!(number.expose(), "+447911123456");
        assert_eq!(Address::mobile("07911 123456", None), Err(AddressError::Number));
        assert_eq!(Address::mobile("12", Some("GB")), Err(AddressError::Number));
    }

    #[test]
    fn a_number_of_another_country_is_read_by_that_countrys_rules() {
        for (raw, country, e164) in [
            ("+86 139 1234 5678", "US", "+8613912345678"),
            ("011 86 139 1234 5678", "US", "+8613912345678"),
            ("(00) 39 06 1234 5678", "GB", "+390612345678"),
            ("+39 06 1234 5678", "GB", "+390612345678"),
            ("0044 (0)7911 123456", "FR", "+447911123456"),
            ("00-44-7911-123456", "GB", "+447911123456"),
            ("+44 (0)7911 123456", "US", "+447911123456"),
        ] {
            let number = Address::mobile(raw, Some(country));
            assert_eq!(number.as_ref().map(Address::expose), Ok(e164), "{raw} from {country}");
        }
        assert_eq!(
            Address::mobile("+78030000000", Some("GB")),
            Address::mobile("+78030000000", None)
        );
    }
}
