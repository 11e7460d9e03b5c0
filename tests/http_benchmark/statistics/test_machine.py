"""What the kernel tells of a machine, from folders as it would lay them out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from http_benchmark.statistics.machine import MachineState, look_at_machine, machine_warnings

QUIET = MachineState(
    cores=4, load_average=0.1, ticks=1000, stolen_ticks=5, swapped_pages=7, throttled_times=3
)


@pytest.fixture
def machine(tmp_path):
    def lay_out(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return look_at_machine(tmp_path)

    return lay_out


def test_a_whole_machine_is_read(machine):
    cpu = "sys/devices/system/cpu/"
    state = machine(
        {
            "proc/loadavg": "1.25 0.80 0.40 2/300 12345\n",
            "proc/stat": "cpu  100 20 30 4000 50 6 7 80 9 1\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
            "proc/meminfo": "MemTotal: 100 kB\nSwapTotal:    2000000 kB\nSwapFree:  1000000 kB\nHugePages:\n",
            "proc/vmstat": "nr_free_pages 9\npswpin 30\npswpout 12\n",
            "proc/self/cgroup": "0::/user/own\n",
            "sys/fs/cgroup/user/own/cpu.stat": "usage_usec 5\nnr_periods 10\nnr_throttled 4\n",
            cpu + "cpu0/cpufreq/scaling_governor": "powersave\n",
            cpu + "cpu1/cpufreq/scaling_governor": "performance\n",
            cpu + "intel_pstate/no_turbo": "0\n",
            cpu + "cpu0/thermal_throttle/core_throttle_count": "2\n",
            cpu + "cpu1/thermal_throttle/core_throttle_count": "3\n",
            "sys/class/power_supply/AC/type": "Mains\n",
            "sys/class/power_supply/AC/online": "0\n",
            "sys/class/power_supply/BAT0/type": "Battery\n",
        }
    )

    assert (state.load_average, state.ticks, state.idle_ticks, state.stolen_ticks) == (1.25, 4293, 4050, 80)
    assert (state.swap_used_mb, state.swapped_pages) == (1024.0, 42)
    assert state.governors == {"powersave", "performance"}
    assert (state.has_turbo, state.is_on_battery) == (True, True)
    assert (state.throttled_times, state.overheated_times) == (4, 5)


def test_a_machine_that_tells_nothing_gets_no_warning(machine):
    state = machine({})

    assert state == MachineState(cores=state.cores)
    assert machine_warnings(state, state) == []


def test_a_file_that_says_something_else_is_no_warning(machine):
    cpu = "sys/devices/system/cpu/"
    state = machine(
        {
            "proc/loadavg": "high\n",
            "proc/stat": "cpu  a b c\n",
            "proc/meminfo": "SwapTotal: many kB\n\n",
            "proc/vmstat": "",
            "proc/self/cgroup": "1:cpu:/x\n\n",
            "sys/fs/cgroup/cpu.stat": "nr_throttled\n",
            cpu + "cpu0/cpufreq/scaling_governor": "",
            cpu + "cpu0/thermal_throttle/core_throttle_count": "-\n",
        }
    )

    assert state == MachineState(cores=state.cores)


@pytest.mark.parametrize(("text", "turbo"), [("1\n", True), ("0\n", False)])
def test_turbo_of_other_processors_is_read(machine, text, turbo):
    assert machine({"sys/devices/system/cpu/cpufreq/boost": text}).has_turbo is turbo


def test_this_machine_is_read():
    state = look_at_machine()

    assert state.cores >= 1
    assert machine_warnings(state, look_at_machine()) is not None


def test_a_quiet_machine_gets_no_warning():
    assert machine_warnings(QUIET, replace(QUIET, ticks=2000, load_average=4.0)) == []


@pytest.mark.parametrize(
    ("before", "after", "seen", "to_do"),
    [
        ({"load_average": 2.5}, {}, "load average was 2.5 on 4 cores", "end what else runs"),
        (
            {},
            {"ticks": 2000, "stolen_ticks": 45},
            "gave 4 % of the processor time",
            "more and shorter rounds",
        ),
        ({}, {"throttled_times": 13}, "limit held us 10 times", "raise the limit"),
        (
            {},
            {"swapped_pages": 107, "swap_used_mb": 12.0},
            "swapped 100 pages meanwhile (12 MB",
            "free memory",
        ),
        ({"overheated_times": 0}, {"overheated_times": 2}, "too hot 2 times", "cool it"),
        ({"governors": frozenset({"schedutil", "performance"})}, {}, "(governor schedutil)", "cpupower"),
        ({"has_turbo": True}, {}, "turbo is on", "switch it off"),
        ({"is_on_battery": True}, {}, "runs on battery", "plug it in"),
    ],
)
def test_each_warning_says_what_was_seen_and_what_to_do(before, after, seen, to_do):
    began = replace(QUIET, **before)

    (warning,) = machine_warnings(began, replace(began, **after))

    assert seen in warning
    assert to_do in warning.split(": ", 1)[1]
