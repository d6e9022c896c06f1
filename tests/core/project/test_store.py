"""The project file: what was done is there, whatever happens; what is no project is left alone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_project import COUNT, SIZE, applied, grounding, mask, masks_of, random_edit, started, tracklets

from decaf_gui.core.entities import Scores
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits, store
from decaf_gui.core.project.rows import (
    TABLES,
    ClipRow,
    GroundingRow,
    MaskRow,
    ObjectRow,
    PromptRow,
    TrackletRow,
    unpack_maps,
    unpack_masks,
)
from decaf_gui.core.project.store import Store


@pytest.fixture
def path(tmp_path):
    with Store.create(tmp_path / "work.decaf") as made:
        for edit in started():
            made.do(edit)
    return tmp_path / "work.decaf"


def dump(path) -> dict[str, set]:
    """All rows as SQLite itself sees them."""
    with sqlite3.connect(path) as connection:
        return {name: set(connection.execute(f'SELECT * FROM "{name}"')) for name in TABLES}


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_rows_in_the_file_are_the_projects_after_any_edits_and_undos(seed, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "p.decaf"
    rng = np.random.default_rng(seed)
    done, dumps = [], []
    with Store.create(path) as made:
        for edit in started():
            made.do(edit)
        for _ in range(20):
            edit = random_edit(made.project, rng)
            if edit is not None:
                dumps.append(dump(path))
                done.append(edit)
                made.do(edit)
        with Store.open(path, read_only=True) as reader:
            assert reader.project.same(made.project)
        last = dump(path)
        for edit, before in zip(reversed(done), reversed(dumps), strict=True):
            made.do(edit.undone)
            assert dump(path) == before, edit.text
        for edit in done:
            made.do(edit)
    assert dump(path) == last


def test_one_file_remains_and_opens_again(path):
    assert sorted(p.name for p in path.parent.iterdir()) == ["work.decaf"]
    with Store.open(path) as again:
        assert again.project.same(applied(started()))
        assert not again.read_only
        assert again.bytes > 1000
        maps = unpack_maps(next(iter(again.project.rows(TABLES["grounding"]).values())).maps)
        assert set(maps) == {"fused", "video_object"}
    assert sorted(p.name for p in path.parent.iterdir()) == ["work.decaf"]


@pytest.mark.parametrize("table", TABLES)
def test_a_reader_sees_one_moment_though_another_program_writes_meanwhile(path, table, monkeypatch):
    with Store.open(path) as writer:
        before, connect = writer.project, store._connect

        def add_an_object(statement: str) -> None:
            if statement.startswith("SELECT") and statement.endswith(f'FROM "{table}"') and writer.project is before:
                writer.do(edits.add_object(writer.project, 1, "bird"))

        def watched(place):
            connection = connect(place)
            connection.set_trace_callback(add_an_object)
            return connection

        monkeypatch.setattr(store, "_connect", watched)
        with Store.open(path, read_only=True) as reader:
            assert not writer.project.same(before)
            assert reader.project.same(before) or reader.project.same(writer.project)


def test_a_second_one_reads_only_and_sees_what_was_there(path):
    with Store.open(path) as writer, Store.open(path) as reader:
        assert reader.read_only
        assert f"process {os.getpid()}" in reader.note
        assert reader.project.same(writer.project)
        with pytest.raises(BadInput, match="read-only"):
            reader.do(edits.rename(reader.project, 1, "x"))
        with pytest.raises(BadInput, match="read-only"):
            reader.compact()
        writer.do(edits.rename(writer.project, 1, "x"))
    with Store.open(path) as now:
        assert not now.read_only


def test_a_dead_writers_lock_is_taken_over(path):
    code = "import os, sys\nfrom decaf_gui.core.project.store import Store\nStore.open(sys.argv[1])\nos._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert (path.parent / ".work.decaf.lock").exists()
    with Store.open(path) as again:
        assert not again.read_only


@pytest.mark.parametrize("read_only", [False, True])
def test_a_writer_killed_in_the_middle_of_a_transaction_leaves_the_state_before_it(path, read_only):
    """Its rollback journal lies beside the file; who only reads may not play it back."""
    with Store.open(path) as before:
        expected = before.project
    child = os.fork()
    if child == 0:
        killed = sqlite3.connect(path, isolation_level=None)
        killed.execute("PRAGMA cache_size = 1")  # pages go to the file before the transaction ends
        killed.execute("BEGIN IMMEDIATE")
        killed.execute("UPDATE object SET name = 'half'")
        killed.execute("CREATE TABLE filler AS SELECT randomblob(4000) AS x FROM mask, mask AS b")
        os._exit(9)
    os.waitpid(child, 0)
    assert path.with_name(path.name + "-journal").exists()
    with Store.open(path, read_only=read_only) as again:
        assert again.project.same(expected)


def test_a_lock_whose_process_number_belongs_to_another_process_by_now_is_taken_over(path):
    here = {"host": socket.gethostname(), "process": os.getppid()}
    lock = path.parent / ".work.decaf.lock"
    lock.write_text(json.dumps(here | {"since": psutil.Process(os.getppid()).create_time()}))
    with Store.open(path) as second:
        assert second.read_only
    lock.write_text(json.dumps(here | {"since": 12.5}))
    with Store.open(path) as third:
        assert not third.read_only


@pytest.mark.parametrize("said", ["step = 0", "last = 8", "first = 5, last = 4", "height = 0", "first = -1"])
def test_a_clip_with_a_range_that_cannot_be_is_refused(path, said):
    with sqlite3.connect(path) as broken:
        broken.execute(f"UPDATE clip SET {said}")
    broken.close()
    with pytest.raises(BadInput, match="damaged"):
        Store.open(path)


def test_closing_twice_leaves_the_lock_of_whoever_came_after(path):
    first = Store.open(path)
    first.close()
    with Store.open(path) as second:
        first.close()
        assert not second.read_only
        with Store.open(path) as third:
            assert third.read_only


def test_a_lock_of_another_host_is_respected(path):
    (path.parent / ".work.decaf.lock").write_text('{"host": "elsewhere", "process": 1}')
    with Store.open(path) as reader:
        assert reader.read_only
        assert "elsewhere" in reader.note


def test_the_journal_is_kept_and_goes_with_the_edit_that_replaces_it(path):
    found = {2: {f: edits.NewMask(mask(f), 0.9, 2.0) for f in (3, 4)}}
    with Store.open(path) as made:
        job = made.new_job()
        made.note_pending(job, '{"model": "demo"}', found)
        made.note_pending(job, '{"model": "demo"}', {2: {6: edits.NewMask(mask(6))}})
    with Store.open(path) as again:
        (pending,) = again.pending()
        assert (pending.job, pending.details, sorted(pending.masks[2])) == (job, '{"model": "demo"}', [3, 4, 6])
        assert pending.masks[2][4] == found[2][4]
        assert again.new_job() == job + 1
        before = again.project
        recovered = edits.replace_masks(before, 2, pending.masks[2], "tracked", pending.details)
        again.do(recovered, finishes=job)
        assert again.pending() == []
        assert again.do(recovered.undone).same(before)


def test_an_undo_out_of_turn_is_refused_and_nothing_is_stored(path):
    with Store.open(path) as made:
        adding = edits.add_object(made.project, 1, "bird")
        made.do(adding)
        made.do(edits.replace_masks(made.project, 3, masks_of({0: mask(1)}), "drawn", "{}"))
        before = dump(path)
        with pytest.raises(BadInput, match="does not fit"):
            made.do(adding.undone)
        assert dump(path) == before
        assert made.project.find(ObjectRow, 3) is not None


def test_journal_of_an_object_that_is_gone_is_nothing(path):
    with Store.open(path) as made:
        made.note_pending(1, "{}", {2: {3: edits.NewMask(mask(3))}})
        made.do(edits.remove_object(made.project, 2))
        assert made.pending() == []


def test_copy_is_whole_while_the_original_goes_on(path):
    with Store.open(path) as made:
        copy = made.save_copy(path.parent / "copy.decaf")
        made.do(edits.rename(made.project, 1, "later"))
        with Store.open(copy) as other:
            assert other.project.same(applied(started()))
        with pytest.raises(BadInput, match="exists"):
            made.save_copy(copy)


def test_compacting_gives_room_back(path):
    with Store.open(path) as made:
        made.do(edits.add_clip(made.project, "large.mp4", _large(), (480, 640), 25.0))
        made.do(edits.add_object(made.project, 2, "x"))
        big = {f: edits.NewMask(_noise_mask(f)) for f in range(COUNT)}
        made.do(edits.replace_masks(made.project, 3, big, "drawn", "{}"))
        made.do(edits.remove_clip(made.project, 2))
        before, after = made.compact()
        assert after < before / 2


def _large():
    from decaf_gui.core.clip import Fingerprint

    return Fingerprint(1, COUNT, "0" * 64)


def _noise_mask(seed):
    from decaf_gui.core.masks import Rle

    return Rle.encode(np.random.default_rng(seed).random((480, 640)) < 0.5)


def test_media_are_found_relative_to_the_project(path, tmp_path):
    with Store.open(path) as made:
        clip = made.project.need(ClipRow, 1)
        assert made.media(clip) == (tmp_path / "clips/dog.mp4").resolve()
        assert made.relative(tmp_path / "clips" / "dog.mp4") == "clips/dog.mp4"


# --- what is no project ------------------------------------------------------------------------------------


def spoiled(path, name):
    """Files that must be refused in one sentence, by name."""
    other = path.with_name(f"{name}.decaf")
    if name == "missing":
        return other
    shutil.copy(path, other)
    data = bytearray(other.read_bytes())
    if name == "text":
        data = bytearray(b"hello, this is not SQLite" * 50)
    elif name == "empty":
        data = bytearray()
    elif name == "cut":
        data = data[: len(data) // 2]
    elif name == "scrambled":
        rng = np.random.default_rng(0)
        data[4096:12288] = bytes(rng.integers(0, 256, 8192, dtype=np.uint8))
    other.write_bytes(data)
    changes = {
        "foreign": "PRAGMA application_id = 7",
        "newer": "PRAGMA user_version = 99",
        "no table": "DROP TABLE mask",
        "missing column": "ALTER TABLE object DROP COLUMN colour",
        "bad rle": "UPDATE mask SET counts = CAST('zzzzzzzzzz' AS BLOB)",
        "long rle": "UPDATE mask SET counts = zeroblob(5000000)",
        "text in a number": "UPDATE clip SET height = 'high'",
        "bad json": "UPDATE grounding SET frames = '[1, 2'",
        "frame beyond": "UPDATE mask SET frame = 4000 WHERE frame = 7",
        "dangling": "UPDATE object SET label = 77",
    }
    if name in changes:
        connection = sqlite3.connect(other)
        with connection:
            connection.execute(changes[name])
        connection.close()
    return other


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "no project"),
        ("text", "no DecAF project"),
        ("empty", "no DecAF project"),
        ("cut", "damaged"),
        ("scrambled", "damaged"),
        ("foreign", "no DecAF project"),
        ("newer", "newer program"),
        ("no table", "damaged"),
        ("missing column", "damaged"),
        ("bad rle", "damaged"),
        ("long rle", "damaged"),
        ("text in a number", "damaged"),
        ("bad json", "damaged"),
        ("frame beyond", "damaged"),
        ("dangling", "damaged"),
    ],
)
def test_what_is_no_whole_project_is_refused_and_left_as_it_is(path, name, says):
    other = spoiled(path, name)
    before = other.read_bytes() if other.exists() else None
    for read_only in (False, True):
        with pytest.raises(BadInput, match=says) as refused:
            Store.open(other, read_only=read_only)
        assert "\n" not in str(refused.value)
    assert (other.read_bytes() if other.exists() else None) == before
    assert not other.with_name(f".{other.name}.lock").exists()


def test_packed_masks_and_maps_of_strangers_do_no_harm():
    import zlib

    for packed in (b"", b"junk", zlib.compress(b"0 zzz"), zlib.compress(b"x y"), zlib.compress(b"0 " + b"0" * 10**6)):
        if packed == b"":
            continue
        with pytest.raises(BadInput):
            unpack_masks(packed, SIZE)
    for packed in (b"junk", b"\x80\x04K\x01."):
        with pytest.raises(BadInput):
            unpack_maps(packed)


def test_names_are_data(path):
    name = "'); DROP TABLE mask; --"
    with Store.open(path) as made:
        made.do(edits.rename(made.project, 1, name))
        made.do(edits.relabel(made.project, 1, '"; DELETE FROM object; --'))
    with Store.open(path) as again:
        assert again.project.need(ObjectRow, 1).name == name
        assert again.project.rows(MaskRow)


def test_creating_over_a_file_or_nowhere_is_refused(path, tmp_path):
    with pytest.raises(BadInput, match="exists"):
        Store.create(path)
    with pytest.raises(BadInput, match="no folder"):
        Store.create(tmp_path / "none" / "x.decaf")


def test_an_older_file_is_backed_up_and_migrated(path, monkeypatch):
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    step = "UPDATE object SET name = name || '!'"
    monkeypatch.setitem(store.MIGRATIONS, store.VERSION - 1, lambda connection: connection.execute(step))
    before = path.read_bytes()
    with pytest.raises(BadInput, match="older program"):
        Store.open(path, read_only=True)
    with Store.open(path) as migrated:
        assert migrated.project.need(ObjectRow, 1).name == "dog 1!"
    assert (path.parent / f"work.version{store.VERSION - 1}.decaf").read_bytes() == before


ADDED = {
    "grounding": ("attributes", "reasons"),
    "tracklet": ("scoring", "video_correlation", "frame_correlation", "correlation"),
}


def make_second_version(path):
    """As it was: groundings had no attributes, and candidates were scored in one way."""
    with sqlite3.connect(path) as old:
        for table, columns in ADDED.items():
            for column in columns:
                old.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        old.execute('ALTER TABLE "verdict" DROP COLUMN "above"')
        old.execute("PRAGMA user_version = 2")
    old.close()


def test_a_file_of_the_second_version_opens_with_what_it_had(path):
    with Store.open(path) as made:
        before = made.project
    make_second_version(path)
    with Store.open(path) as migrated:
        assert migrated.project.same(before)
        row = migrated.project.need(GroundingRow, 1)
        assert (row.attributes, row.reasons) == ((), "")
        candidate = migrated.project.need(TrackletRow, 2)
        assert candidate.scores == Scores(0.9, 0.8, 0.7)
        migrated.do(edits.add_proposal(migrated.project, 1, *steered()))
        after = migrated.project
    with Store.open(path) as again:
        assert again.project.same(after)


def steered():
    """A proposal of SteerSeg."""
    scores = Scores(0.9, 0.8, None, "pearson", 0.5, None, 0.5)
    found = tuple(replace(tracklet, scores=scores) for tracklet in tracklets(3))
    return replace(grounding(2), attributes=("red", "on the left"), reasons="the other is blue"), found, "{}"


def test_attributes_and_correlations_are_kept(path):
    with Store.open(path) as made:
        made.do(edits.add_proposal(made.project, 1, *steered()))
    with Store.open(path) as again:
        row = again.project.need(GroundingRow, 1)
        assert (row.attributes, row.reasons) == (("red", "on the left"), "the other is blue")
        newest = max(again.project.rows(TrackletRow).values(), key=lambda candidate: candidate.id)
        assert newest.scores == Scores(0.9, 0.8, None, "pearson", 0.5, None, 0.5)
        assert newest.scores.total == 0.5


def test_a_file_of_the_first_version_opens(path):
    with Store.open(path) as made:
        made.do(edits.set_prompt(made.project, 1, 3, ((1.0, 2.0, True),)))
    make_second_version(path)
    with sqlite3.connect(path) as old:  # as it was: prompts did not keep what they correct
        old.execute('ALTER TABLE "prompt" DROP COLUMN "base"')
        old.execute("PRAGMA user_version = 1")
    old.close()
    with Store.open(path) as migrated:
        row = migrated.project.need(PromptRow, 1, 3)
        assert (row.points, row.base) == (((1.0, 2.0, True),), None)
        migrated.do(edits.set_prompt(migrated.project, 1, 4, ((1.0, 2.0, True),)))
    with Store.open(path) as again:
        assert again.project.need(PromptRow, 1, 4).base == again.project.need(MaskRow, 1, 4).counts


def test_a_prompt_whose_base_is_no_mask_of_the_clip_is_refused(path):
    with Store.open(path) as made:
        made.do(edits.set_prompt(made.project, 1, 3, ((1.0, 2.0, True),)))
    with sqlite3.connect(path) as broken:
        broken.execute('UPDATE "prompt" SET base = ?', (b"~~~~",))
    broken.close()
    with pytest.raises(BadInput, match="damaged"):
        Store.open(path)


def test_a_migration_that_fails_changes_nothing(path, monkeypatch):
    def broken(connection):
        connection.execute("UPDATE object SET name = 'half'")
        raise sqlite3.OperationalError("the disk is full")

    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    monkeypatch.setitem(store.MIGRATIONS, store.VERSION - 1, broken)
    with pytest.raises(BadInput, match="disk is full"):
        Store.open(path)
    monkeypatch.undo()
    with Store.open(path) as again:
        assert again.project.need(ObjectRow, 1).name == "dog 1"
