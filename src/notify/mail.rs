//! An alert as an e-mail.

use std::fmt;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::{NotifyError, PATIENCE, SILENT, cure, sentence};
use crate::clock::{Clock, timeout};
use crate::config::{SmtpSettings, SmtpTls};
use crate::store::AlertRow;

/// Sends alerts by SMTP.
pub(super) struct Mail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail")
    }
}

/// Why an e-mail was not sent. Names no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    /// It could not be written.
    #[error("the e-mail could not be written")]
    Message,
    /// The server did not take it.
    #[error("the mail server did not take it ({0})")]
    Server(&'static str),
    /// The server will not take it, however often it is asked.
    #[error("the mail server refused it for good")]
    Refused,
    /// The server takes nothing from whoever we say we are.
    #[error("the mail server refused [notify.smtp] user and password")]
    Password,
}

impl Mail {
    pub(super) fn new(
        settings: &SmtpSettings,
        password: Option<SecretString>,
    ) -> Result<Self, NotifyError> {
        type Server = AsyncSmtpTransport<Tokio1Executor>;
        let host = settings.host.as_str();
        let mut server = match settings.tls {
            SmtpTls::Starttls => Server::starttls_relay(host).map_err(NotifyError::Smtp)?,
            SmtpTls::Wrapped => Server::relay(host).map_err(NotifyError::Smtp)?,
            SmtpTls::None => Server::builder_dangerous(host),
        };
        server = server.port(settings.port).timeout(Some(PATIENCE));
        if let (Some(user), Some(password)) = (&settings.user, password) {
            let password = password.expose_secret().trim().to_owned();
            server = server.credentials(Credentials::new(user.clone(), password));
        }
        let mailbox = |key, text: &String| text.parse().map_err(|_| NotifyError::Address { key });
        let to = settings.to.iter().map(|to| mailbox("to", to)).collect::<Result<_, _>>()?;
        Ok(Self { server: server.build(), from: mailbox("from", &settings.from)?, to })
    }

    /// Sends one alert, by a clock that ends what takes too long: the mail server's own patience is for
    /// connecting alone.
    pub(super) async fn send(
        &self,
        clock: &dyn Clock,
        clinic: &str,
        alert: &AlertRow,
    ) -> Result<(), MailError> {
        let message = self.message(clinic, alert)?;
        let sent = timeout(clock, PATIENCE, self.server.send(message)).await;
        sent.map_err(|_| MailError::Server(SILENT))?.map(drop).map_err(|error| {
            if error.is_permanent() {
                // RFC 4954, 6: what begins with 53 is about who asks.
                let asks = error.status().is_some_and(|code| code.to_string().starts_with("53"));
                return if asks { MailError::Password } else { MailError::Refused };
            }
            MailError::Server(match () {
                () if error.is_transient() => "refused for now",
                () if error.is_timeout() => SILENT,
                () => "no connection, or not as configured",
            })
        })
    }

    fn message(&self, clinic: &str, alert: &AlertRow) -> Result<Message, MailError> {
        let said = sentence(clinic, alert);
        let since = alert.since.format("%Y-%m-%d %H:%M UTC");
        let body = format!("{said}.\r\n\r\nSince {since}.\r\n{}\r\n", cure(alert.kind));
        let mut message = Message::builder()
            .from(self.from.clone())
            .date(alert.since.into())
            .message_id(Some(format!("<{}@listwarden>", alert.id)))
            .subject(format!("[Listwarden] {said}"))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        message.body(body).map_err(|_| MailError::Message)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::store::AlertKind;

    /// By its time every deadline has passed.
    #[derive(Debug)]
    struct Late;

    #[async_trait::async_trait]
    impl Clock for Late {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }

        async fn sleep(&self, _: std::time::Duration) {}

        async fn deadline(&self, _: std::time::Duration) {}

        fn chance(&self) -> u64 {
            0
        }
    }

    #[tokio::test]
    async fn a_server_that_takes_the_connection_and_says_nothing_is_given_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: silent.local_addr().unwrap().port(),
            tls: SmtpTls::None,
            from: "lw@clinic.test".to_owned(),
            to: vec!["it@clinic.test".to_owned()],
            user: None,
            password: None,
        };
        let mail = Mail::new(&settings, None).unwrap();
        let alert = AlertRow {
            id: Uuid::nil(),
            list: "newsletter".to_owned(),
            kind: AlertKind::Red,
            links: 1,
            since: DateTime::<Utc>::UNIX_EPOCH,
            mailed: false,
            hooked: false,
            mail_rests_until: None,
        };
        let sent = mail.send(&Late, "oak", &alert).await;
        assert!(matches!(sent, Err(MailError::Server(SILENT))));
    }
}
