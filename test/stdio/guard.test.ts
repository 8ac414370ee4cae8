/** Hosts that a signal ends: what happens to their children, and to the guardian. */
import fs from 'node:fs'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type ChildEndpoint } from '../../api/index.js'
import { ChildProgram, type ChildExit } from '../helpers/child-program.js'
import { guardiansOf, isRunning, sh } from '../helpers/small-children.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
/** Longer than any test waits. */
const NEVER_MS = 3_600_000
const AT_ONCE = { terminateAfterMs: 0, killAfterMs: 0 }

failOnWarnings()

const declare = process.platform === 'linux' ? test.serial : test.serial.skip

interface Scene {
  readonly host: ChildProgram
  /** The pid in the child's first line: its own, or that of its child. */
  readonly pid: number
  readonly guardian: number
}

/**
 * Starts a host and its child, calls `lead` to end the host, and waits until every process with the host's stderr is
 * gone, and the guardian too.
 */
async function afterHost(
  t: ExecutionContext,
  script: string,
  choices: Partial<ChildEndpoint>,
  lead: (scene: Scene) => void | Promise<void>,
): Promise<ChildExit> {
  t.timeout(WATCHDOG_MS)
  const host = ChildProgram.start('guarded-host', [script, JSON.stringify(choices)])
  let pid = 0
  try {
    pid = Number(await host.next())
    const [guardian = 0] = guardiansOf(host.pid)
    t.true(pid > 1 && guardian > 1, 'the host has a child and a guardian')
    await lead({ host, pid, guardian })
    const exit = await host.exit
    // No process has its stderr any more, so the child has ended or is about to.
    await until(() => !isRunning(pid) && !isRunning(guardian))
    return exit
  } finally {
    host.kill('SIGKILL')
    if (pid > 1 && isRunning(pid)) process.kill(pid, 'SIGKILL')
  }
}

/** What each descriptor of a process is of. */
function linksIn(folder: string): ReadonlyMap<string, string> {
  return new Map(
    fs.readdirSync(folder).flatMap((fd) => {
      try {
        return [[fd, fs.readlinkSync(`${folder}/${fd}`)]]
      } catch {
        // The one that the list was read with.
        return []
      }
    }),
  )
}

const stubborn = "trap '' TERM HUP INT; echo $$; exec sleep 1000"

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  declare(`a child that ignores its stdin and SIGTERM ends with a host that ${signal} ends`, async (t) => {
    const exit = await afterHost(t, stubborn, AT_ONCE, ({ host }) => {
      host.kill(signal)
    })
    t.deepEqual([exit.code, exit.signal, exit.stderr], [null, signal, ''])
  })
}

declare('a child whose host is gone gets SIGTERM first', async (t) => {
  // Without children: one that a shell has just forked can lose the signal, and would live on.
  const script = "trap 'echo SIGTERM >&2; exit' TERM; echo $$; while :; do :; done"
  const choices = { terminateAfterMs: 0, killAfterMs: NEVER_MS, processGroup: true }
  const { stderr } = await afterHost(t, script, choices, ({ host }) => {
    host.kill('SIGKILL')
  })
  t.is(stderr, 'SIGTERM\n')
})

declare('a child whose host is gone gets no signal if it ends with its stdin', async (t) => {
  const script = "trap 'echo SIGTERM >&2' TERM; echo $$; cat >/dev/null; echo finished >&2"
  const { stderr } = await afterHost(t, script, { terminateAfterMs: NEVER_MS }, ({ host }) => {
    host.kill('SIGKILL')
  })
  t.is(stderr, 'finished\n')
})

declare('what is left of a process group ends with the host, even if its leader ended by itself', async (t) => {
  const script = "(trap '' TERM; exec sleep 1000 </dev/null >/dev/null) & echo $!; exec cat"
  await afterHost(t, script, { ...AT_ONCE, processGroup: true }, ({ host }) => {
    host.kill('SIGKILL')
  })
})

declare('signals to all processes of the host do not end its guardian', async (t) => {
  await afterHost(t, stubborn, AT_ONCE, ({ host, guardian }) => {
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGTERM'] as const) process.kill(guardian, signal)
    host.kill('SIGTERM')
  })
})

declare('a guardian that was killed is replaced, and the next one knows the children', async (t) => {
  await afterHost(t, stubborn, AT_ONCE, async ({ host, guardian }) => {
    process.kill(guardian, 'SIGKILL')
    const isReplaced = (): boolean => guardiansOf(host.pid).some((pid) => pid !== guardian)
    await until(isReplaced)
    const [next = 0] = guardiansOf(host.pid).filter((pid) => pid !== guardian)
    // Another turn of the host: by then it has reported the children to the next guardian.
    await host.proveAlive()
    host.kill('SIGKILL')
    await until(() => !isRunning(next))
  })
})

declare('with guard: false a child that ignores everything but signals lives on', async (t) => {
  t.timeout(WATCHDOG_MS)
  const host = ChildProgram.start('guarded-host', [stubborn, JSON.stringify({ ...AT_ONCE, guard: false })])
  const pid = Number(await host.next())
  try {
    t.deepEqual(guardiansOf(host.pid), [])
    host.kill('SIGKILL')
    await until(() => !isRunning(host.pid))
    t.true(isRunning(pid))
  } finally {
    process.kill(pid, 'SIGKILL')
    await host.exit
  }
})

declare("a guardian holds nothing of its host but the pipe that shows the host's end", async (t) => {
  await afterHost(t, stubborn, AT_ONCE, ({ host, guardian }) => {
    const place = `/proc/${String(guardian)}`
    const links = linksIn(`${place}/fd`)
    t.deepEqual([links.get('1'), links.get('2')], ['/dev/null', '/dev/null'])
    // Descriptors that this process and its host inherited, and cannot close, do not count.
    const outer = linksIn('/proc/self/fd')
    const more = [...links].filter(([fd, link]) => Number(fd) > 2 && outer.get(fd) !== link)
    t.deepEqual(more, [])
    t.is(fs.readlinkSync(`${place}/cwd`), '/')
    const [, , group, session] = fs.readFileSync(`${place}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
    t.deepEqual([group, session], [String(guardian), String(guardian)])
    host.kill('SIGKILL')
  })
})

declare('one guardian serves all children of an engine, and ends when the engine is closed', async (t) => {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1 })
  try {
    const unguarded = await engine.transport(sh('exec cat', { guard: false })).connect()
    t.deepEqual(guardiansOf(process.pid), [])
    await Promise.all(Array.from({ length: 3 }, () => engine.transport(sh('exec cat')).connect()))
    t.is(guardiansOf(process.pid).length, 1)
    await unguarded.close()
    t.deepEqual(engine.stats().ledger.byKind.guardians, { opened: 1, released: 0, open: 1 })
  } finally {
    const { leaked, byKind } = await engine.close()
    t.is(leaked, 0, JSON.stringify(byKind))
    t.deepEqual(byKind.guardians, { opened: 1, released: 1 })
    t.deepEqual(guardiansOf(process.pid), [])
  }
})
