"""The accelerator as PYNQ sees it: an Overlay that sets its clock right, and the IP's driver.

The only module that imports PYNQ: the package imports it when a board is opened, not before.  Its
entry point in the group ``pynq.lib`` binds the driver in every overlay that holds our IP.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from hashlib import sha1
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import pynq

from overlays.hwh import BASE_ADDRESS
from pynq_bnn import notebook, registers
from pynq_bnn.devices.board import zynq
from pynq_bnn.devices.board.bitfile import packaged_bitstream, require_part
from pynq_bnn.devices.board.device import TURN, BoardDevice
from pynq_bnn.devices.board.first_contact import Contact, Divisors, clocks, step_up
from pynq_bnn.devices.board.handoff import require_accelerator
from pynq_bnn.devices.board.identity import this_board
from pynq_bnn.devices.board.ownership import Claim
from pynq_bnn.driver.accelerator import DEFAULT_TIMEOUT_S, Accelerator
from pynq_bnn.driver.control import QUIET_S, Control
from pynq_bnn.errors import DeviceError, OverlayError
from pynq_bnn.networks import load_parameters
from pynq_bnn.verify.loopback import loopback
from pynq_bnn.verify.selftest import require_known_answer

log = logging.getLogger(__name__)

_USE = """The binarized-neural-network accelerator {name}.

    overlay.classify("cat.png")                     # a Result; of a list, Results
    overlay.bnn.register_map                        # its registers by name
    pynq_bnn.Classifier("my.npz", device=overlay)   # a network of your own

Close it with overlay.free(), or use it as a context: with BnnOverlay() as overlay: ...
"""


class Fabric:
    """Tells one download from another, by this process or, since PYNQ 3.1, by any."""

    def __init__(self, device: Any, state_file: Optional[str]) -> None:
        self._device, self._state_file = device, state_file

    def mark(self) -> Tuple[str, Optional[int]]:
        """PYNQ's time stamp of this process's last download, and when any process downloaded."""
        changed_ns = None
        if self._state_file is not None:
            with contextlib.suppress(OSError):
                changed_ns = os.stat(self._state_file).st_mtime_ns
        return getattr(self._device, "timestamp", ""), changed_ns

    def unchanged(self) -> Callable[[], bool]:
        """A function that says whether nothing was downloaded since now."""
        before = self.mark()
        return lambda: self.mark() == before


class BnnDriver(pynq.DefaultIP):
    """The accelerator: ``classify(picture)``, its registers by name, and itself as a device.

    ``overlay.bnn.classify("cat.png")`` classifies with the shipped network;
    ``overlay.bnn.register_map`` shows the registers; ``pynq_bnn.Classifier(device=overlay.bnn)``
    takes a network of your own.
    """

    bindto = [registers.VLNV]

    def __init__(self, description: Dict[str, Any]) -> None:
        super().__init__(description)
        self._opened: Optional[BoardDevice] = None
        self._classifier: Optional[Any] = None
        self.contact: Optional[Contact] = None
        self.fabric = Fabric(self.device, _state_file())

    @property
    def clock_tree(self) -> zynq.ClockTree:
        """The accelerator's clock as it really runs, and what it is made from."""
        slcr = pynq.MMIO(zynq.SLCR, zynq.SLCR_BYTES, device=self.device)
        return zynq.clock_tree(slcr.read, this_board())

    @property
    def clock_mhz(self) -> float:
        """The clock alone, in MHz."""
        return self.clock_tree.mhz

    @property
    def pynq_version(self) -> str:
        return str(pynq.__version__)

    def widen_ports(self, ports: Sequence[int]) -> Dict[str, str]:
        """As :func:`pynq_bnn.devices.board.zynq.widen_ports`."""
        afi = pynq.MMIO(zynq.AFI, zynq.AFI_BYTES, device=self.device)
        return zynq.widen_ports(afi.read, afi.write, ports)

    def allocate(self, shape: Union[int, Tuple[int, ...]], dtype: Any) -> Any:
        """Contiguous memory that this accelerator reaches, as :func:`pynq.allocate`."""
        return pynq.allocate(shape, dtype, target=self.device)

    def as_device(self) -> BoardDevice:
        """The device to give to an Accelerator or a Classifier; the same until it is closed."""
        if self._opened is None or self._opened.closed:
            self._opened = BoardDevice(self)
        return self._opened

    def classify(self, source: Any) -> Any:
        """As :meth:`pynq_bnn.Classifier.classify`, with the shipped network; it stays loaded."""
        if self._classifier is None:
            from pynq_bnn.classifier import Classifier

            self._classifier = Classifier(device=self)
        return self._classifier.classify(source)

    def close(self) -> None:
        """Free what :meth:`classify` and :meth:`as_device` hold."""
        classifier, self._classifier = self._classifier, None
        opened, self._opened = self._opened, None
        try:
            if classifier is not None:
                classifier.close()
        finally:
            if opened is not None:
                opened.close()

    def __repr__(self) -> str:
        build = self.mmio.read(registers.offset("BUILD"))
        return f"<BnnDriver, build {build:08x}, {self.clock_mhz:g} MHz>"


class BnnOverlay(pynq.Overlay):
    """The accelerator's bitstream, checked before it is downloaded.

    Parameters
    ----------
    bitfile_name : str or path, optional
        A .bit with its .hwh beside it; without it, the one that this package brings for the
        board.
    clock_mhz : float, optional
        The accelerator's clock: the fastest that the board has not above this.  Without it, the
        one that the bitstream was built for.
    first_contact : bool
        Begin at half that clock, and raise it as long as a DMA loopback and a known answer are
        right: what passed last is kept (``overlay.contact`` and ``info`` say which).  Otherwise
        the clock is set at once and nothing is tried.
    **options
        As :class:`pynq.Overlay`.  With ``download=False`` the bitstream must be loaded already.

    Raises
    ------
    DeviceError
        If this is no board known here, or PYNQ finds no device or may not use it, or if the
        accelerator is wrong at the slowest clock already (the message says in what).
    BusyError
        If another process uses the accelerator.
    OverlayError
        If the bitstream is missing, damaged or for another part, if its .hwh is missing or without
        our IP, or if it is not to be downloaded and not loaded.  Nothing was downloaded then.

    Examples
    --------
    >>> with BnnOverlay() as overlay:                      # doctest: +SKIP
    ...     print(overlay.classify("cat.png").label)
    """

    def __init__(self, bitfile_name: Optional[Union[str, Path]] = None,
                 clock_mhz: Optional[float] = None, first_contact: bool = True,
                 **options: Any) -> None:
        board = this_board()
        self._wanted_mhz, self._cautious = clock_mhz, first_contact
        path = packaged_bitstream(board) if bitfile_name is None else Path(bitfile_name).absolute()
        require_part(path, board)
        require_accelerator(path.with_suffix(".hwh"))
        if options.get("device") is None:
            options["device"] = _active_device()
        if not options.get("download", True):
            _require_loaded(path, options["device"])
        self._claim = Claim(self)
        try:
            super().__init__(str(path), **options)
        except OSError as error:
            self._claim.release()
            raise DeviceError(f"PYNQ can't load {path}: {error}; it needs root: use Jupyter, or "
                              "a shell after sudo -i") from error
        except BaseException:
            self._claim.release()
            raise
        self.__doc__ = _USE.format(name=path)
        if first_contact and options.get("download", True):
            try:
                self.driver.contact = self._make_contact()
            except BaseException:  # Ctrl-C too
                self.free()
                raise

    def download(self, dtbo: Optional[str] = None) -> None:
        """Stop the accelerator if it is there, set the clocks, then load the bitstream.

        Clocks are set by divisors alone: setting them by MHz is wrong wherever PS_CLK is not 50
        MHz (the ZedBoard), and PYNQ 4.0 doesn't know the MHz on a Zynq-7000.
        """
        steps = self._clocks()
        with TURN.lock:
            TURN.await_walk(DEFAULT_TIMEOUT_S)
            _stop(self.device)
            for index, clock in self.clock_dict.items():
                if clock.get("enable") and index:
                    pynq.Clocks.set_pl_clk(index, clock["divisor0"], clock["divisor1"])
            pynq.Clocks.set_pl_clk(0, *steps[0 if self._cautious else -1])
            pynq.Bitstream.download(self, self.parser)
            _LOADED[self.device.tag] = (self.bitfile_name, self.device.timestamp)
        if dtbo or self.dtbo:
            self.insert_dtbo(dtbo)

    def _clocks(self) -> List[Divisors]:
        """The dividers of the accelerator's clock, the slowest clock first."""
        shipped = self.clock_dict[0]
        return clocks(this_board(), (shipped["divisor0"], shipped["divisor1"]), self._wanted_mhz)

    def _make_contact(self) -> Contact:
        """Loopback and known answer of the shipped network, at one clock after another."""
        device = self.driver.as_device()

        def set_clock(divisors: Divisors) -> float:
            pynq.Clocks.set_pl_clk(0, *divisors)
            device.clock_mhz = self.driver.clock_mhz
            return device.clock_mhz

        with Accelerator(device) as accelerator:
            def answer() -> None:
                if not accelerator.loaded:
                    accelerator.load(load_parameters())
                require_known_answer(accelerator)

            return step_up(self._clocks(), set_clock, lambda: loopback(accelerator), answer)

    @property
    def contact(self) -> Optional[Contact]:
        """What first contact found; None if none was made."""
        return self.driver.contact

    @property
    def driver(self) -> BnnDriver:
        """The driver of our IP, whatever the design calls its instance."""
        name = next(name for name, ip in self.ip_dict.items() if ip["type"] == registers.VLNV)
        return getattr(self, name)

    def as_device(self) -> BoardDevice:
        """The device to give to an Accelerator or a Classifier."""
        if not self.is_loaded():
            raise OverlayError(
                f"{self.bitfile_name} is no longer in the fabric: another bitstream was loaded "
                "after it. Make a new BnnOverlay()")
        return self.driver.as_device()

    def classify(self, source: Any) -> Any:
        """As :meth:`pynq_bnn.Classifier.classify`, with the shipped network; it stays loaded."""
        self.as_device()
        return self.driver.classify(source)

    def free(self) -> None:
        """Close what :meth:`classify` loaded, and let other processes have the accelerator."""
        try:
            if self.is_loaded():
                self.driver.close()
        finally:
            self._claim.release()
            super().free()

    def __enter__(self) -> BnnOverlay:
        return self

    def __exit__(self, *_: Any) -> None:
        self.free()

    def __repr__(self) -> str:
        if not self.is_loaded():
            return f"<BnnOverlay {self.bitfile_name}, not loaded: another bitstream was>"
        driver = self.driver
        build = driver.mmio.read(registers.offset("BUILD"))
        return (f"<BnnOverlay {this_board().name}, {driver.clock_mhz:g} MHz, build {build:08x}, "
                f"loaded from {self.bitfile_name}>")

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """What a notebook shows; it must not keep the device's memory because of that."""
        printer.text(repr(self))
        notebook.forget(self)


_LOADED: Dict[str, Tuple[str, str]] = {}
"""For each PYNQ device the .bit that a BnnOverlay downloaded last, and PYNQ's time stamp of it."""


def _ours_is_loaded(device: Any, path: Optional[Path] = None) -> bool:
    """Whether the fabric holds a .bit that a BnnOverlay downloaded, and if given this one.

    PYNQ's own ``is_loaded`` believes so after ``download=False`` too, whatever the fabric holds.
    """
    name, stamp = _LOADED.get(device.tag, ("", ""))
    if stamp and stamp == getattr(device, "timestamp", ""):
        return path is None or str(path) == name
    state = _state()
    return bool(path is not None and state is not None and not getattr(device, "timestamp", "")
                and state.bitfile_hash == sha1(path.read_bytes()).hexdigest())


def _require_loaded(path: Path, device: Any) -> None:
    if not _ours_is_loaded(device, path):
        raise OverlayError(
            f"{path} is not loaded, so far as anybody here knows, and an access to what is not "
            "there hangs the chip: leave download=False out")


def _stop(device: Any) -> None:
    """Reset our accelerator, so that no transfer of its is under way when the fabric changes."""
    if not _ours_is_loaded(device):
        TURN.forget()
        return
    TURN.settle()
    control = Control(pynq.MMIO(BASE_ADDRESS, registers.WINDOW_BYTES, device=device), QUIET_S)
    control.reset()
    if not control.await_quiet():
        log.warning("a memory port still owes the accelerator what it had asked for; it is loaded "
                    "anew all the same. If the next run fails, switch the board off and on")


def _global_state() -> Optional[Any]:
    """PYNQ's module for what all processes know of the fabric (3.1 and later)."""
    try:
        return importlib.import_module("pynq.pl_server.global_state")
    except ImportError:
        return None


def _state() -> Optional[Any]:
    """What the last download by any process left behind; None if PYNQ knows of none."""
    module = _global_state()
    if module is None:
        return None
    try:
        module.initial_global_state_file_boot_check()  # what was written before a boot is no more
        return module.load_global_state()
    except Exception:  # missing, of another PYNQ, half written: then nobody knows
        return None


def _state_file() -> Optional[str]:
    """Where PYNQ writes that."""
    path = getattr(_global_state(), "_get_state_path", None)
    return None if path is None else str(path())


def _active_device() -> Any:
    """PYNQ's device, or an error that says why there is none."""
    try:
        return pynq.Device.active_device
    except RuntimeError as error:
        missing = "" if os.environ.get("XILINX_XRT") else (
            "XILINX_XRT is not set, so PYNQ does not even look for one; ")
        raise DeviceError(
            f"PYNQ finds no device ({error}): {missing}its environment is missing, as after plain "
            "sudo, in cron, systemd or ssh with a command. Use Jupyter or sudo -i, or first "
            "source /etc/profile.d/xrt_setup.sh and /etc/profile.d/boardname.sh") from error
