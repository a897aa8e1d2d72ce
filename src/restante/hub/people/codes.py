"""The codes people open doors with: drawn once for a use, shown from the vault, recognised by the source of the point.

Theory of operation. A code is sealed first and made known to its point second. Whoever repeats the work, after a crash
or beside another worker, finds the sealed code and makes the same one known, so a person never holds a code that does
not open. A verifier is bound to a log epoch of a source: when a new controller starts another epoch, the verifiers of
all live codes are made anew and people keep the codes they have.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from typing import Final

import msgspec

from restante.core.access import KdfCost, code_from
from restante.core.ids import ContactId, ParcelId, PointId, SourceId
from restante.core.parcel import Parcel, open_stay
from restante.core.refusals import Fault
from restante.store.ledger import Credential, Ledger, PointView
from restante.store.vault import CodeUse, OpenedCode, Vault
from restante.wire import manifest as wire

SourceKey = Callable[[SourceId, int], bytes]
"""The key of a source in a log epoch, from which verifiers are made (``K_bank`` of ``core.access``)."""

Aside = Callable[[Callable[[], str]], Awaitable[str]]
"""How something slow is computed without holding up the event loop."""

DRAWS: Final = 20
_ORG: Final = "org:"


class NoCodeFound(Fault):
    """Every code that was drawn is in use at the point already, which chance does not explain."""


class Issued(msgspec.Struct, frozen=True):
    """A code that opens; ``fresh`` when its point has yet to be told, by a manifest."""

    code: OpenedCode
    fresh: bool


class Codes:
    """Issues codes and gives them up. ``aside`` bounds how many are computed at once: ``in_threads`` for programs."""

    def __init__(
        self, ledger: Ledger, vault: Vault, *, source_key: SourceKey, cost: KdfCost, aside: Aside,
        chance: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._vault = vault
        self._source_key = source_key
        self._settings = wire.Settings(kdf_n=cost.n, kdf_r=cost.r, kdf_p=cost.p)
        self._aside = aside
        self._chance = chance
        self._epochs: dict[PointId, int] = {}

    async def issue(self, parcel: Parcel, view: PointView) -> Issued | None:
        """The code of a parcel at a point, for its newest promise: drawn at the first call, the same one ever after.

        None when nobody is known who could be told. Faults: the store's, ``NoCodeFound``.
        """
        if parcel.recipient is None:
            return None
        use = CodeUse(parcel.id, view.point.id, parcel.promises)
        for _ in range(DRAWS):
            code = await self._standing(use, parcel.recipient)
            if code is None:
                return None
            if code.epoch == view.head.epoch:
                return Issued(code, fresh=False)
            if await self._make_known(code, view):
                return Issued(msgspec.structs.replace(code, epoch=view.head.epoch), fresh=True)
            await self._vault.drop_code(use)
        raise NoCodeFound

    async def tidy(self, view: PointView, *, thorough: bool = False) -> None:
        """Give up the codes of what is over at a point, and make those of an earlier log epoch known anew.

        The epochs are looked at when the point's has changed since the last time, or when asked to be ``thorough``.
        """
        credentials = [one for one in view.credentials if not one.subject.startswith(_ORG)]
        live = {row.parcel for row in view.promises} | {stay.parcel for stay in view.stays}
        for one in credentials:
            if one.subject not in live:
                await self._give_up(one, view)
        if thorough or self._epochs.get(view.point.id) != view.head.epoch:
            await self._renew((one for one in credentials if one.subject in live), view)
            self._epochs[view.point.id] = view.head.epoch

    async def _standing(self, use: CodeUse, holder: ContactId) -> OpenedCode | None:
        """The sealed code of a use, drawn if there is none; None when its holder is not known."""
        known = (await self._vault.open_codes([use])).get(use)
        return known or await self._vault.seal_code(OpenedCode(use, holder, self._draw()))

    def _draw(self) -> str:
        while (code := code_from(self._chance(32))) is None:
            pass
        return code

    async def _make_known(self, code: OpenedCode, view: PointView) -> bool:
        """Store how the source recognises a code; False when another code there looks the same."""
        source, epoch = view.head.source, view.head.epoch

        def compute() -> str:
            key = self._source_key(source, epoch)
            return wire.code_verifier(
                code.code, source_key=key, source=source, log_epoch=epoch, settings=self._settings
            )

        found = await self._aside(compute)
        credential = Credential(code.use.point, code.use.parcel, code.use.number, found)
        if not await self._ledger.put_credential(credential):
            return False
        await self._vault.note_epoch(code.use, epoch)
        return True

    async def _renew(self, credentials: Iterable[Credential], view: PointView) -> None:
        uses = [CodeUse(ParcelId(one.subject), one.point, one.number) for one in credentials]
        for code in (await self._vault.open_codes(uses)).values():
            if code.epoch != view.head.epoch:
                await self._make_known(code, view)

    async def _give_up(self, credential: Credential, view: PointView) -> None:
        parcel = ParcelId(credential.subject)
        await self._ledger.drop_credential(credential.point, parcel)
        await self._vault.drop_code(CodeUse(parcel, credential.point, credential.number))
        # Room may have been promised here again since the view was read, and what was dropped be the new code's.
        again = await self._vault.open_code(parcel, credential.point)
        if again is not None and await self._is_live(parcel, credential.point):
            await self._make_known(again, view)

    async def _is_live(self, key: ParcelId, point: PointId) -> bool:
        parcel = (await self._ledger.parcels([key])).get(key)
        if parcel is None:
            return False
        promised = parcel.promise is not None and parcel.promise.point == point
        return promised or open_stay(parcel, point) is not None


def in_threads(executor: Executor) -> Aside:
    """Compute in the threads of ``executor``: two of them leave the event loop its share of a small machine."""

    async def compute(slow: Callable[[], str]) -> str:
        return await asyncio.get_running_loop().run_in_executor(executor, slow)

    return compute


async def at_once(slow: Callable[[], str]) -> str:
    """Compute here and now: for the simulator, whose time stands still meanwhile."""
    return slow()
