//! `list scrub`: which addresses of a file may be sent to now.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::{Common, Deployment, Exit};
use crate::config::ClinicConfig;
use crate::domain::{Address, Channel};
use crate::reconcile::{KnownList, MayNot, Reconciler};

/// Rows worked at a time.
const TOGETHER: usize = 2_000;

/// Which file, for which list.
#[derive(Debug, Clone, Args)]
pub struct Scrub {
    /// The list's short name.
    list: String,
    /// The file: one address a line, or CSV.
    file: PathBuf,
    /// The column that holds the address, by its name in the first line; without it the first
    /// column of every line is one.
    #[arg(long)]
    column: Option<String>,
}

/// Counts of what was answered.
#[derive(Debug, Default)]
struct Tally {
    may: u64,
    may_not: u64,
    unreadable: u64,
}

/// Answers for every line of the file, on standard output; the sum goes to standard error.
pub async fn run(common: &Common, scrub: Scrub) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let clinic = deployment.clinic_of_list(&scrub.list)?;
    let file = File::open(&scrub.file)
        .with_context(|| format!("`{}` cannot be opened", scrub.file.display()))?;
    let list = fresh(&deployment, clinic, &scrub.list).await?;
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(scrub.column.is_some())
        .flexible(true)
        .from_reader(io::BufReader::new(file));
    let place = place(&mut lines, scrub.column.as_deref())?;
    let reader = Scrubber {
        reconciler: deployment.reconciler(),
        list: &list,
        country: clinic.country.as_deref(),
    };
    let mut answers = csv::Writer::from_writer(io::stdout().lock());
    answers.write_record(["line", "address", "may_be_sent_to", "reason", "law", "since"])?;
    let mut tally = Tally::default();
    let mut page = Vec::with_capacity(TOGETHER);
    for record in lines.byte_records() {
        let record = record.with_context(|| format!("`{}`", scrub.file.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let given = String::from_utf8_lossy(record.get(place).unwrap_or_default());
        page.push((line, given.trim().to_owned()));
        if page.len() == TOGETHER {
            reader.answer(&mut page, &mut answers, &mut tally).await?;
        }
    }
    reader.answer(&mut page, &mut answers, &mut tally).await?;
    answers.flush()?;
    let Tally { may, may_not, unreadable } = tally;
    eprintln!("{may} may be sent to, {may_not} may not, {unreadable} are no address.");
    if may + may_not == 0 && unreadable > 0 {
        bail!(
            "no line of the file holds an address of the list's channel: name the column with --column"
        );
    }
    Ok(Exit::InStep)
}

struct Scrubber<'a> {
    reconciler: &'a Reconciler,
    list: &'a KnownList,
    country: Option<&'a str>,
}

impl Scrubber<'_> {
    /// Answers a page of lines and empties it.
    async fn answer(
        &self,
        page: &mut Vec<(u64, String)>,
        out: &mut csv::Writer<impl Write>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let channel: Channel = self.list.policy.channel;
        let parse = |given: &str| Address::parse(channel, given, self.country);
        let parsed: Vec<_> = page.iter().map(|(_, given)| parse(given)).collect();
        let addresses: Vec<Address> = parsed.iter().filter_map(|a| a.clone().ok()).collect();
        let mut answers = self.reconciler.scrub(self.list, &addresses).await?.into_iter();
        for ((line, given), parsed) in page.drain(..).zip(parsed) {
            let line = line.to_string();
            let (count, told) = match parsed.map(|_| answers.next()) {
                Err(wrong) => {
                    let told = [wrong.to_string(), String::new(), String::new()];
                    (&mut tally.unreadable, Some(told))
                }
                Ok(Some(Ok(()))) => (&mut tally.may, None),
                Ok(Some(Err(may_not))) => (&mut tally.may_not, Some(refused(may_not))),
                Ok(None) => bail!("line {line} was left without an answer"),
            };
            *count += 1;
            let may = if told.is_some() { "no" } else { "yes" };
            let [reason, law, since] = told.unwrap_or_default();
            out.write_record([line.as_str(), &given, may, &reason, &law, &since])?;
        }
        Ok(())
    }
}

fn refused(MayNot { reason, since }: MayNot) -> [String; 3] {
    let since = since.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    [reason.sentence().to_owned(), reason.law().to_string(), since.unwrap_or_default()]
}

fn place(lines: &mut csv::Reader<impl io::Read>, column: Option<&str>) -> anyhow::Result<usize> {
    let Some(column) = column else { return Ok(0) };
    let names = lines.headers().context("the first line names the columns and cannot be read")?;
    names
        .iter()
        .position(|name| name.trim().eq_ignore_ascii_case(column))
        .with_context(|| format!("line 1 has no column `{column}`"))
}

/// Takes the list as it was read last; refuses where that is too long ago to answer by (L26).
async fn fresh(
    deployment: &Deployment,
    clinic: &ClinicConfig,
    slug: &str,
) -> anyhow::Result<KnownList> {
    let (_, mut lists) = deployment.known_lists(clinic).await?;
    lists.retain(|list| list.row.slug == slug);
    let list = lists.pop().with_context(|| format!("the list `{slug}` has ended"))?;
    if !deployment.reconciler().is_fresh(&list).await? {
        bail!(
            "patients or list were not read whole lately enough to answer by: run `listwarden reconcile --full` first"
        );
    }
    Ok(list)
}
