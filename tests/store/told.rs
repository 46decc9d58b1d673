//! What accounts tell of numbers: known again, and not to be had from the store.

use listwarden::domain::ContactId;
use listwarden::store::{HeldRow, NoticeRow, Told};
use sha2::{Digest, Sha256};

use crate::world::{World, at, keyring};

const NUMBER: &str = "447700900123";

fn held(contact: Option<ContactId>) -> HeldRow {
    HeldRow { key: NUMBER.to_owned(), contact }
}

impl World {
    /// What the reader knows of the number, with these keys.
    async fn knows(&self, keys: &[u8]) -> usize {
        let store = self.another_process(keyring(keys)).await;
        store.held_known(self.clinic, "reader", &[NUMBER]).await.unwrap().len()
    }
}

stories! {
    async fn a_number_is_known_again_and_cannot_be_tried_out(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        store.held_seen(lease, clinic, "reader", &[held(None)]).await.unwrap();
        let notice = NoticeRow {
            key: NUMBER.to_owned(),
            contact: None,
            told: Told::Undelivered,
            at: at(0),
        };
        store.notices_add(lease, clinic, &[notice]).await.unwrap();
        assert_eq!(store.notices_known(clinic, &[NUMBER]).await.unwrap().len(), 1);
        for keys in [&[1][..], &[2, 1]] {
            assert_eq!(world.knows(keys).await, 1);
        }
        assert_eq!(world.knows(&[2]).await, 0, "it is known without its key");
    }

    async fn what_was_kept_without_a_key_is_known_until_it_is_seen_under_one(world: World) {
        let plain = hex::encode(Sha256::digest(NUMBER));
        world.tampers(&format!(
            "INSERT INTO held_opt_outs (clinic_id, reader, unique_hash, contact_id, seen_at)
             SELECT clinic_id, 'reader', '{plain}', NULL, 0 FROM clinics"
        )).await;
        assert_eq!(world.knows(&[1]).await, 1);
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        store.held_seen(lease, clinic, "reader", &[held(None)]).await.unwrap();
        store.held_gone(lease, clinic, "reader", at(0)).await.unwrap();
        assert_eq!((world.knows(&[1]).await, world.knows(&[2]).await), (1, 0));
    }

    async fn no_row_is_kept_of_an_erased_contact(world: World) {
        world.reads(&[crate::world::record("1", "ann@mail.test")]).await;
        let contact = world.contact("ann@mail.test").await;
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        world.tampers("UPDATE contacts SET address = NULL, erased_at = 1").await;
        store.held_seen(lease, clinic, "reader", &[held(contact)]).await.unwrap();
        assert_eq!(world.knows(&[1]).await, 0);
    }
}
