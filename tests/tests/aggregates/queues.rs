//! Queues that are full, and windows that are shut.

use super::*;

#[test]
fn an_accept_queue_that_overflows_is_no_attack() {
    let mut world = World::on(Limits { somaxconn: 128, ..Limits::default() });
    world.every(10, 50, |w, i| {
        w.connect(client(i), local(443), End::Client);
        if i % 5 == 0 {
            w.count(|ext| {
                ext.listen_overflows += 1;
                ext.listen_drops += 1;
            });
        }
    });
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::ListenOverflow, Severity::Warn)], "{told:#?}");
    let overflow = last(&told, Aggregate::ListenOverflow);
    assert!(said(overflow, "the application does not accept fast enough"), "{overflow:#?}");
    assert!(overflow.sign.ruled_out.iter().any(|not| not.what.id() == "attack"), "{overflow:#?}");
}

#[test]
fn an_attack_that_fills_the_queue_is_one() {
    let mut world = World::on(Limits::default());
    world.every(8, 1000, |w, i| {
        w.syn(client(i), local(443), Look { ttl: 52, ..LINUX });
        w.syn_ack(client(i), local(443));
        w.count(|ext| {
            ext.req_q_full_do_cookies += 1;
            ext.syncookies_sent += 1;
        });
    });
    let told = world.finish();
    assert!(said(last(&told, Aggregate::ListenOverflow), "by an attack"), "{told:#?}");
    assert_eq!(kinds(&told).len(), 2, "{told:#?}");
}

#[test]
fn counters_that_stand_still_say_nothing() {
    let mut world = World::on(Limits::default());
    world.count(|ext| ext.listen_overflows = 1000);
    ordinary(&mut world, 20);
    silent(world, "an overflow of the past");
}

#[test]
fn shut_windows_of_one_source() {
    let hold = |n: u32, spread: bool| {
        let mut world = World::of(4096);
        let server = local(80);
        for i in 0..n {
            let source = if spread { client(i).ip() } else { client(1).ip() };
            let from = SocketAddr::new(source, 33_000 + i as u16);
            world.connect(from, server, End::Open);
            let shut = Look { window: 0, ..LINUX };
            let [c, s] = world.numbers(from, server);
            world.segment(from, server, ACK, [c + 100, s + 100], shut);
        }
        world.pass(120 * SECOND);
        kinds(&world.finish())
    };
    assert_eq!(hold(30, false), [(Aggregate::Naptha, Severity::Warn)]);
    assert!(hold(5, false).is_empty() && hold(30, true).is_empty(), "slow readers");
}
