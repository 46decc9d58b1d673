//! Judged all the time: nothing that the program says names anybody.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry};

use super::Lookout;

/// Everything the program said.
#[derive(Debug, Clone, Default)]
pub struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// Returns a subscriber that keeps everything said by this program.
    #[must_use]
    pub fn listening(&self) -> Dispatch {
        let lines = tracing_subscriber::fmt::layer()
            .without_time()
            .with_ansi(false)
            .with_writer(self.clone());
        let ours = EnvFilter::new("off,listwarden=trace");
        Dispatch::new(Registry::default().with(ours).with(lines))
    }

    /// Takes down something else that was said: an error, an outcome.
    pub fn hear(&self, said: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(said.as_bytes());
        all.push(b'\n');
    }

    /// Returns all of it.
    #[must_use]
    pub fn text(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&all).into_owned()
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
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

/// Looks for every address and every name there ever was.
pub fn judge(look: &Lookout, said: &str) {
    let said = said.to_lowercase();
    let books = look.books();
    let lines = || said.lines();
    let told = books.personal.iter().find(|one| said.contains(&one.to_lowercase()));
    let line = told.and_then(|one| {
        let one = one.to_lowercase();
        lines().find(|line| line.contains(&one)).map(|line| line.replace(&one, "[somebody]"))
    });
    drop(books);
    look.check("L25 nothing said names anybody", line);
}
