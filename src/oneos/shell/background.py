"""Starting what ends with `&`: programs by the Runtime, anything else in a thread of the shell."""

import os
import threading

from oneos.shell import jobs, nodes, pipeline, show
from oneos.shell.descriptors import Descriptor
from oneos.shell.state import Shell


def start_job(shell: Shell, node: nodes.Node, stages: list[nodes.Node]) -> int:
    """Start a command in the background and enter it into the table of jobs.

    Args:
        shell: the state.
        node: the command.
        stages: the same, as the stages of a pipeline.

    Raises:
        ShellError: there are too many jobs.
    """
    index = jobs.next_index(shell)
    text = show.command(node)
    inner = shell.copy(background=True)
    try:
        # With job control it is stopped when it reads what a person types.
        controlled = shell.interactive and shell.console is not None
        if not controlled:
            # As POSIX has it without job control: Ctrl-C is for the foreground, and what runs
            # here must not eat the script's input, nor what a person types for the shell.
            inner.ignored |= {"INT", "QUIT"}
            if old := inner.descriptors.pop(0, None):
                inner.release([old])
            inner.descriptors[0] = Descriptor(os.open(os.devnull, os.O_RDONLY))
        job = _program_job(inner, index, text, stages)
        if job is None:
            if old := inner.descriptors.pop(0, None):
                inner.release([old])
            inner.descriptors[0] = Descriptor(os.open(os.devnull, os.O_RDONLY))
            job = _thread_job(inner, index, text, node)
    finally:
        inner.close()
    jobs.add(shell, job)
    if shell.interactive:
        shell.complain_plain(f"[{job.index}] {job.number}")
    return 0


def _program_job(inner: Shell, index: int, text: str, stages: list[nodes.Node]) -> jobs.Job | None:
    programs: list[pipeline.Program] = []
    for number, stage in enumerate(stages):
        program = pipeline.plan(inner, stage, number, len(stages))
        if program is None:
            for earlier in programs:
                earlier.ends.release()
            return None
        programs.append(program)
    console = inner.console
    at_terminal = console.new_job(foreground=False) if console is not None else None
    started = pipeline.start(inner, programs, at_terminal, foreground=False)
    pids = [each.pid for each in started if each.pid is not None]
    failed = started[-1].status if started[-1].pid is None else None
    for program in programs:
        program.ends.release()
    # A file of an enclosing redirection is committed when the last program has ended. A
    # pipe is not held: who reads it waits for its end.
    held = [each.acquire() for each in inner.descriptors.values() if each.is_file]
    return jobs.Job(index, text, pids, failed, held, at_terminal)


def _thread_job(inner: Shell, index: int, text: str, node: nodes.Node) -> jobs.Job:
    job = jobs.Job(index, text)
    if isinstance(node, nodes.Pipeline):
        node = nodes.Pipeline(False, node.stages)
    own = inner.copy(client=inner.client.clone(), background=True)
    job.inner = own

    def body() -> None:
        job.status = pipeline.run_in_thread(own, node, False)

    job.thread = threading.Thread(target=body, name=f"job-{index}", daemon=True)
    threads = inner.interpreter.job_threads
    threads[:] = [thread for thread in threads if thread.is_alive()]
    threads.append(job.thread)
    job.thread.start()
    return job
