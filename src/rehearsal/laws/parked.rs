//! Judged when the world has come to rest: who is parked, and why (L26).

use std::collections::BTreeSet;

use crate::commands::Deployment;
use crate::domain::{Address, Channel, Class};
use crate::reconcile::Who;
use crate::rehearsal::books::{Act, Line};
use crate::rehearsal::world::World;

/// Accounts for everybody who is parked: as many as the report says, each with a reason that the books
/// know.
pub async fn judge(world: &World, deployment: &Deployment) -> anyhow::Result<()> {
    for (place, clinic) in deployment.clinics().enumerate() {
        let (id, lists) = deployment.known_lists(clinic).await?;
        let mut reported = 0;
        for attested in deployment.reconciler().attest(id, &lists).await? {
            reported += attested.count(Class::Parked).unwrap_or_default();
        }
        if reported == 0 {
            continue;
        }
        for row in deployment.store.parked_list(id).await? {
            world.note(format!("parked: {} {} {}", row.link, row.parked.verb, row.parked.reason));
        }
        let mut found = 0;
        for (channel, address) in addresses(world, place) {
            let Some(known) = parsed(channel, &address) else { continue };
            let told = deployment.reconciler().explain(id, &lists, &Who::Address(known)).await?;
            let words = told.map(|told| told.lists).unwrap_or_default();
            let is_parked = |class| class == Class::Parked;
            let parked = words
                .iter()
                .filter(|word| is_parked(word.class) || word.held_back.is_some_and(is_parked))
                .count();
            found += parked as u64;
            let reason = has_reason(world, place, channel, &address);
            world.lookout.check(
                "L26 nobody is parked for nothing",
                (parked > 0 && !reason).then(|| format!("c{place}, {channel}")),
            );
        }
        world.lookout.check(
            "L26 whoever is parked can be named",
            (found < reported).then(|| format!("c{place}: {found} of {reported}")),
        );
    }
    Ok(())
}

/// Every address that there ever was, the clinic's and strangers'.
fn addresses(world: &World, clinic: usize) -> BTreeSet<(Channel, String)> {
    let books = world.books();
    let ever = books.ever.keys().filter(|(of, ..)| *of == clinic);
    let of_patients = ever.map(|(_, channel, address)| (*channel, address.clone()));
    let lines = books.lines.iter().filter(|line| line.clinic == clinic);
    let of_lines = lines.filter_map(|line| Some((line.channel, line.address.clone()?)));
    of_patients.chain(of_lines).collect()
}

fn parsed(channel: Channel, address: &str) -> Option<Address> {
    match channel {
        Channel::Email => Address::email(address).ok(),
        Channel::Sms => Address::mobile(address, None).ok(),
    }
}

/// Tells whether somebody with the address said no, or was put away or erased there, or the provider
/// refuses it; or somebody said no at an address that they shared, from which it goes with them (L8);
/// or their record ceased to say a yes that some run may have read, or came to name a customer in its
/// place, by which it is withdrawn (L4); or a store that was put back found one of them off a list,
/// which reads as a no (L16).
fn has_reason(world: &World, clinic: usize, channel: Channel, address: &str) -> bool {
    let books = world.books();
    let key = (clinic, channel, address.to_owned());
    let ever = books.ever.get(&key).cloned().unwrap_or_default();
    // A number can always be asked again.
    let erased = channel == Channel::Email && books.erased.contains(&key);
    let shared = |line: &Line| {
        let at = line.address.clone().and_then(|at| books.ever.get(&(clinic, channel, at)));
        at.is_some_and(|sharers| !sharers.is_disjoint(&ever))
    };
    let takes_back = |line: &Line| {
        line.act == Act::Customer
            && books.of(clinic, channel).any(|yes| {
                matches!(yes.act, Act::Yes | Act::Flag)
                    && yes.patient == line.patient
                    && yes.at <= line.at
            })
    };
    let found_off = books.found_off.iter().any(|there| {
        let held = books.ever.get(there);
        (there.0, there.1) == (clinic, channel) && held.is_some_and(|held| !held.is_disjoint(&ever))
    });
    let cleared = ever.iter().any(|patient| books.cleared.contains(&(clinic, channel, *patient)));
    erased
        || found_off
        || cleared
        || books.of(clinic, channel).any(|line| {
            let theirs = line.address.as_deref() == Some(address)
                || line.patient.is_some_and(|patient| ever.contains(&patient));
            let no = line.act.is_no() && (theirs || shared(line));
            let away = matches!(line.act, Act::Bounced | Act::Removed);
            no || (theirs && (away || takes_back(line)))
        })
}
