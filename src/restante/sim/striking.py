"""What each fault does to a world, and how it ends: one line of a table for each kind."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from restante.core.ids import ParcelId
from restante.edge.boards.steel import Deed
from restante.edge.memory import MemoryBook
from restante.sim.chance import chance_of
from restante.sim.clock import HOUR_MS, MINUTE_MS, SECOND_MS
from restante.sim.cupboard import FragileRows
from restante.sim.faults import Fault, Kind
from restante.sim.ground import Ground
from restante.sim.hubside import WorkerKilled
from restante.sim.machine import Machine
from restante.sim.mailbox import address_of
from restante.sim.mending import back_up, call_technician, restore
from restante.sim.met import name_of
from restante.sim.rows import Break
from restante.sim.steelwork import Steelwork
from restante.wire.journal import Entry

if TYPE_CHECKING:
    from restante.sim.world import World

_GUESSES_AT_ONCE: Final = 8
_PEOPLE: Final = 8
_SETTLED_MS: Final = HOUR_MS
_LOOKS_FOR_ROUND_MS: Final = 3 * SECOND_MS

Strike = Callable[["World", Fault], None]


def strike(world: "World", fault: Fault) -> None:
    """Let one fault happen, and end when its time is over."""
    world.struck[name_of(fault.kind)] += 1
    where = "the hub" if fault.source < 0 else world.names[fault.source]
    world.story.tell(f"{where}: {fault.kind.value}")
    _STRIKES[fault.kind](world, fault)


# --- at the hub


def foresee(world: "World", fault: Fault) -> None:
    """What has to be done before a fault strikes: the backup that a hub is restored from is as old as it says."""
    if fault.kind is Kind.HUB_RESTORED:
        world.clock.at(max(_SETTLED_MS, fault.at_ms - fault.lasts_ms), partial(_back_up, world, fault))


def _back_up(world: "World", fault: Fault) -> None:
    world.backups[fault] = back_up(world)


def _restore_hub(world: "World", fault: Fault) -> None:
    backup = world.backups.pop(fault, None)
    world.felt[fault.kind] += backup is not None and restore(world, backup)


def _kill_hub(world: "World", fault: Fault) -> None:
    world.felt[fault.kind] += world.hub.process is not None
    world.hub.kill()
    world.clock.after(fault.lasts_ms, world.start_hub)


def _lose_commit(world: "World", fault: Fault) -> None:
    _plant(world, fault, Break.BEFORE if fault.amount % 2 else Break.UNSEEN)


def _lose_answer(world: "World", fault: Fault) -> None:
    _plant(world, fault, Break.AFTER)


def _plant(world: "World", fault: Fault, where: Break) -> None:
    if isinstance(world.rows, FragileRows):
        world.rows.plant(where, after_commits=fault.amount)


def _stop_store(world: "World", fault: Fault) -> None:
    rows = world.rows
    if isinstance(rows, FragileRows):
        rows.stop()
        world.clock.after(fault.lasts_ms, rows.go_on)


def _kill_worker(world: "World", fault: Fault) -> None:
    def stop() -> None:
        world.hub.before_task = lambda: None
        world.felt[fault.kind] += 1
        raise WorkerKilled

    world.hub.before_task = stop


def _kill_worker_late(world: "World", fault: Fault) -> None:
    rows = world.rows
    if not isinstance(rows, FragileRows):
        return

    def stop() -> None:
        rows.before_finish = lambda: None
        world.felt[fault.kind] += 1
        raise WorkerKilled

    rows.before_finish = stop


def _stop_mail(world: "World", fault: Fault) -> None:
    world.mail.stop()
    world.clock.after(fault.lasts_ms, world.mail.go_on)


def _refuse_mail(world: "World", fault: Fault) -> None:
    """A mailbox that is gone for good, or full for a while."""
    address = address_of(fault.amount % _PEOPLE)
    world.mail.refuse(address, 550 if fault.amount % 2 else 452)
    world.clock.after(fault.lasts_ms, partial(world.mail.accept, address))


# --- at a source


def _weather(world: "World", fault: Fault) -> None:
    weather = world.weather[fault.source]
    weather.begin(fault.kind)
    world.clock.after(fault.lasts_ms, partial(weather.end, fault.kind))


def _replay(world: "World", fault: Fault) -> None:
    source = world.sources[fault.source]
    frames, link = world.watch.old_frames(source), world.links.get(source)
    if frames and link is not None and link.is_open:
        world.felt[fault.kind] += 1
        link.to_source(frames[fault.amount % len(frames)])


def _cut_power(world: "World", fault: Fault) -> None:
    machine = world.machines[fault.source]
    world.felt[fault.kind] += machine.is_on
    _turn_off(machine)
    world.clock.after(fault.lasts_ms, partial(world.start, machine))


def _cut_power_in_step(world: "World", fault: Fault) -> None:
    fuse = world.machines[fault.source].fuse
    (fuse.set_for_work if fault.amount % 4 else fuse.set)(1 + fault.amount // 4)


def _fill_disk(world: "World", fault: Fault) -> None:
    machine = world.machines[fault.source]
    machine.fuse.fill()
    world.clock.after(fault.lasts_ms, machine.make_space)


def _stick(world: "World", fault: Fault) -> None:
    machine = world.machines[fault.source]
    if not machine.steel.staffed:
        door = _door_of(machine, fault)
        machine.steel.touch(door, Deed.JAM if fault.kind is Kind.DOOR_JAMMED else Deed.BLOCK)
        world.clock.after(fault.lasts_ms, partial(machine.steel.touch, door, Deed.MEND))


def _make_sensor_lie(world: "World", fault: Fault) -> None:
    steel = world.machines[fault.source].steel
    if not steel.staffed:
        steel.lie(1 + fault.amount % steel.doors)
        world.clock.after(fault.lasts_ms, steel.tell_the_truth)


def _disturb_bus(world: "World", fault: Fault) -> None:
    wire = world.machines[fault.source].steel.wire
    wire.is_noisy = True
    world.clock.after(fault.lasts_ms, wire.fall_silent)


def _slow_board(world: "World", fault: Fault) -> None:
    steel = world.machines[fault.source].steel
    steel.slow_ms = fault.amount * 2 * SECOND_MS
    world.clock.after(fault.lasts_ms, steel.quicken)


def _heat_coils(world: "World", fault: Fault) -> None:
    """People open a door hours apart, so a coil that rests hinders nobody until somebody opens its door once more."""
    steel = world.machines[fault.source].steel
    if steel.staffed:
        return
    steel.rest_ms = fault.amount * (6 if fault.amount % 2 else 900) * SECOND_MS
    world.doorstep.undecided.add(steel.source)
    world.clock.after(fault.lasts_ms, partial(_cool_coils, world, steel))


def _cool_coils(world: "World", steel: Steelwork) -> None:
    """The heat is over, but not before somebody has opened a door twice."""
    if steel.source in world.doorstep.undecided:
        world.clock.after(HOUR_MS, partial(_cool_coils, world, steel))
    else:
        steel.cool()


def _start_with_wrong_clock(world: "World", fault: Fault) -> None:
    machine = world.machines[fault.source]
    machine.off_ms += fault.amount
    world.felt[fault.kind] += machine.is_on
    machine.lose_power()
    world.clock.after(fault.lasts_ms, machine.set_clock)


def _turn_clock(world: "World", fault: Fault) -> None:
    machine = world.machines[fault.source]
    machine.off_ms += fault.amount
    world.felt[fault.kind] += machine.is_on
    world.clock.after(fault.lasts_ms, machine.set_clock)


def _let_clock_drift(world: "World", fault: Fault) -> None:
    machine = world.machines[fault.source]
    machine.drift(fault.amount)
    world.felt[fault.kind] += machine.is_on
    world.clock.after(fault.lasts_ms, machine.set_clock)


def _take_down(world: "World", fault: Fault, install: Callable[["World", Fault, MemoryBook], None]) -> None:
    """Take a controller away, and have another one installed once the hub has begun an epoch for it."""
    machine, old = world.machines[fault.source], world.machines[fault.source].book
    if not isinstance(old, MemoryBook) or any(clone.source == machine.source for clone in world.clones):
        return
    _turn_off(machine)
    world.taken_away.add(machine.source)
    if link := world.links.get(machine.source):
        link.drop(by_hub=True)
    world.begin_epoch(fault.source, old.head.epoch + 1, partial(install, world, fault, old))


def _replace_controller(world: "World", fault: Fault) -> None:
    """As `docs/how-to/controllers.md` has it; the old certificates end, and with them the sessions and any clone."""
    _take_down(world, fault, _install)


def _install(world: "World", fault: Fault, old: MemoryBook) -> None:
    machine = world.machines[fault.source]
    world.felt[fault.kind] += 1
    _note_unheard(world, world.unheard(old))
    machine.take_book(MemoryBook(old.source))
    world.taken_away.discard(machine.source)
    world.watch.new_controller(machine.source)
    world.start(machine)
    world.clock.after(fault.lasts_ms, partial(_find_disk, world, fault, old))


def _note_unheard(world: "World", entries: Sequence[Entry]) -> None:
    """What the next controller cannot know: stays that have ended, and parcels that lie where one of those was."""
    emptied = set[int]()
    for entry in entries:
        match entry.kind:
            case "parcel-taken-out":
                world.ended_unheard.add(str(entry.data["stay"]))
                emptied.add(int(entry.data["door"]))
            case "parcel-put-in" if entry.data["door"] in emptied:
                world.ground.unseen.add(ParcelId(entry.data["parcel"]))
            case _:
                pass


def _lose_controller(world: "World", fault: Fault) -> None:
    """As `_replace_controller`, and the old disk is gone for good: what it had not sent nobody will ever hear of."""
    _take_down(world, fault, _install_another)


def _install_another(world: "World", fault: Fault, old: MemoryBook) -> None:
    machine = world.machines[fault.source]
    world.felt[fault.kind] += 1
    world.lost_books.add(machine.source)
    gone = (entry.data["parcel"] for entry in world.unheard(old) if entry.kind == "parcel-taken-out")
    world.ground.unseen |= {ParcelId(parcel) for parcel in gone}
    machine.take_book(MemoryBook(old.source))
    world.taken_away.discard(machine.source)
    world.watch.new_controller(machine.source)
    world.start(machine)
    world.clock.after(fault.lasts_ms, partial(call_technician, world, fault.source, until_done=True))


def _call_technician(world: "World", fault: Fault) -> None:
    world.felt[fault.kind] += world.machines[fault.source].is_on
    call_technician(world, fault.source, until_done=False)


def _find_disk(world: "World", fault: Fault, old: MemoryBook) -> None:
    """What the old disk holds is taken into the new book, once that has begun an epoch of its own."""
    machine = world.machines[fault.source]
    book = machine.book
    if not isinstance(book, MemoryBook) or book.head.epoch <= old.head.epoch:
        world.clock.after(HOUR_MS, partial(_find_disk, world, fault, old))
        return
    _turn_off(machine)
    book.take_in(old)
    world.start(machine)


def _turn_off(machine: Machine) -> None:
    """Power goes, and does not come back by itself."""
    before, machine.on_power_lost = machine.on_power_lost, lambda: None
    machine.lose_power()
    machine.on_power_lost = before


def _clone(world: "World", fault: Fault) -> None:
    """The disk is copied into another machine, which runs beside the first until somebody notices the smoke."""
    original = world.machines[fault.source]
    if not isinstance(original.book, MemoryBook):
        return
    old = original.steel
    steel = Steelwork(original.source, old.sizes, world.clock, ground=Ground(), staffed=old.staffed)
    clone = world.controller(fault.source, steel, copy.deepcopy(original.book))
    world.clones.append(clone)
    world.felt[fault.kind] += 1
    clone.start()
    world.clock.after(fault.lasts_ms, clone.lose_power)


# --- people


def _be_hasty(world: "World", fault: Fault) -> None:
    world.doorstep.hasty.add(world.sources[fault.source])


def _mix_up(world: "World", fault: Fault) -> None:
    world.doorstep.careless.add(world.sources[fault.source])


def _revoke_in_round(world: "World", fault: Fault) -> None:
    """The code of a courier who still has parcels to put in is taken away, and tried again."""
    source = world.sources[fault.source]
    if source in world.watch.rounds and world.doorstep.left_to_bring[source] > 0:
        world.felt[fault.kind] += 1
        world.revoke_round(fault.source)
    elif fault.lasts_ms > 0:
        later = msgspec.structs.replace(fault, lasts_ms=fault.lasts_ms - _LOOKS_FOR_ROUND_MS)
        world.clock.after(_LOOKS_FOR_ROUND_MS, partial(_revoke_in_round, world, later))


def _understate_size(world: "World", fault: Fault) -> None:
    world.folk.understate(fault.amount)


def _pass_code_on(world: "World", fault: Fault) -> None:
    world.folk.pass_code_on(fault.amount)


def _guess(world: "World", fault: Fault) -> None:
    """Somebody types one code after the other for hours, and pulls the plug when the machine has had enough of it."""
    machine, chance = world.machines[fault.source], chance_of(world.seed, f"guesses/{fault.at_ms}")
    world.felt[fault.kind] += machine.is_on
    for after_ms in range(0, fault.lasts_ms, 3 * MINUTE_MS):
        codes = [f"{chance.randrange(10**8):08}" for _ in range(_GUESSES_AT_ONCE)]
        world.clock.after(after_ms, partial(world.folk.walk, world.doorstep.guess(machine, codes)))
    for after_ms in range(HOUR_MS // 4, fault.lasts_ms, HOUR_MS // 4):
        world.clock.after(after_ms, machine.lose_power)


def _door_of(machine: Machine, fault: Fault) -> int:
    return 1 + fault.amount % machine.steel.doors


_STRIKES: Final[Mapping[Kind, Strike]] = {
    Kind.LINK_CUT: _weather,
    Kind.LINK_ROUGH: _weather,
    Kind.LINK_SLOW: _weather,
    Kind.ACKS_LOST: _weather,
    Kind.MANIFESTS_LATE: _weather,
    Kind.ENTRIES_ALTERED: _weather,
    Kind.LINE_NOISY: _weather,
    Kind.BUS_NOISY: _disturb_bus,
    Kind.ROUND_REVOKED: _revoke_in_round,
    Kind.MANIFEST_REPLAYED: _replay,
    Kind.BANK_KILLED: _cut_power,
    Kind.BANK_KILLED_IN_STEP: _cut_power_in_step,
    Kind.DISK_FULL: _fill_disk,
    Kind.HUB_KILLED: _kill_hub,
    Kind.COMMIT_LOST: _lose_commit,
    Kind.ANSWER_LOST: _lose_answer,
    Kind.STORE_DOWN: _stop_store,
    Kind.WORKER_KILLED: _kill_worker,
    Kind.WORKER_KILLED_LATE: _kill_worker_late,
    Kind.MAIL_DOWN: _stop_mail,
    Kind.MAIL_REFUSED: _refuse_mail,
    Kind.DOOR_JAMMED: _stick,
    Kind.DOOR_BLOCKED: _stick,
    Kind.SENSOR_LIES: _make_sensor_lie,
    Kind.BOARD_SLOW: _slow_board,
    Kind.COILS_HOT: _heat_coils,
    Kind.CLOCK_OFF: _start_with_wrong_clock,
    Kind.CLOCK_JUMPS: _start_with_wrong_clock,
    Kind.CLOCK_TURNED: _turn_clock,
    Kind.CLOCK_DRIFTS: _let_clock_drift,
    Kind.DISK_CLONED: _clone,
    Kind.CONTROLLER_REPLACED: _replace_controller,
    Kind.CONTROLLER_LOST: _lose_controller,
    Kind.TECHNICIAN_COMES: _call_technician,
    Kind.HUB_RESTORED: _restore_hub,
    Kind.DOOR_SHUT_EARLY: _be_hasty,
    Kind.PARCELS_MIXED_UP: _mix_up,
    Kind.SIZE_WRONG: _understate_size,
    Kind.CODE_PASSED_ON: _pass_code_on,
    Kind.CODES_GUESSED: _guess,
}
