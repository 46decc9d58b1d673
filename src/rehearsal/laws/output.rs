//! Judged at every line: nothing that the program says names anybody.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

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
        Dispatch::new(Listener(self.clone()))
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

/// Hears what spans and events of this program hold, and keeps no spans: a registry of each world's own
/// would be asked by the threads of the database, which know only the process's.
struct Listener(Said);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("listwarden")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        self.0.hear(&fields.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        self.0.hear(&fields.0);
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().target().to_owned());
        event.record(&mut fields);
        self.0.hear(&fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What a span or an event holds, as text.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a string does not fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
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
