//! An alert as an e-mail.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::{NotifyError, cure, sentence};
use crate::config::{SmtpSettings, SmtpTls};
use crate::store::AlertRow;

/// Longest wait for the mail server.
const PATIENCE: Duration = Duration::from_secs(20);

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
}

impl MailError {
    /// Tells whether the same e-mail would be refused again.
    pub(super) const fn is_permanent(&self) -> bool {
        matches!(self, Self::Message | Self::Refused)
    }
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

    pub(super) async fn send(&self, clinic: &str, alert: &AlertRow) -> Result<(), MailError> {
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
        let message = message.body(body).map_err(|_| MailError::Message)?;
        self.server.send(message).await.map(drop).map_err(|error| {
            if error.is_permanent() {
                return MailError::Refused;
            }
            MailError::Server(match () {
                () if error.is_transient() => "refused for now",
                () if error.is_timeout() => "no answer in time",
                () => "no connection, or not as configured",
            })
        })
    }
}
