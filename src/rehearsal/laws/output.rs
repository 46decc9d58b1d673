//! Judged at every line: nothing that the program says names anybody.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry};

use super::Lookout;

/// Hears everything that the program says.
#[derive(Clone)]
pub struct Said {
    look: Arc<Lookout>,
    /// What was said while the books were being written.
    unheard: Arc<Mutex<String>>,
}

impl Said {
    /// Starts to listen.
    #[must_use]
    pub fn new(look: &Arc<Lookout>) -> Self {
        Self { look: look.clone(), unheard: Arc::default() }
    }

    /// Returns a subscriber that hears everything said by this program.
    #[must_use]
    pub fn listening(&self) -> Dispatch {
        let lines = tracing_subscriber::fmt::layer()
            .without_time()
            .with_ansi(false)
            .with_writer(self.clone());
        let ours = EnvFilter::new("off,listwarden=trace");
        Dispatch::new(Registry::default().with(ours).with(lines))
    }

    /// Hears something said: a line of a log or of the journal, an error, an outcome.
    pub fn hear(&self, said: &str) {
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        unheard.push_str(said);
        unheard.push('\n');
        if judge(&self.look, &unheard) {
            unheard.clear();
        }
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hear(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Said {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Looks for every address and every name there ever was; false where the books are in use.
fn judge(look: &Lookout, said: &str) -> bool {
    let books = match look.books.try_lock() {
        Ok(books) => books,
        Err(TryLockError::Poisoned(books)) => books.into_inner(),
        Err(TryLockError::WouldBlock) => return false,
    };
    let said = said.to_lowercase();
    let told = books.personal.iter().find(|one| said.contains(one.as_str()));
    let line = told.and_then(|one| {
        let line = said.lines().find(|line| line.contains(one.as_str()));
        line.map(|line| line.replace(one.as_str(), "[somebody]"))
    });
    drop(books);
    look.check("L25 nothing said names anybody", line);
    true
}
