/** Frames between two processes over shared memory, in both directions at once, and no timer that would help. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import type { WaitReport } from '../../fixtures/shared-wait.js'
import type { TorturePlan, TortureReport } from '../../fixtures/shared-torture.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { byLength } from '../../helpers/length.js'
import { testSeed } from '../../helpers/random.js'
import { canShareMemory } from '../../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = canShareMemory ? test.serial : test.serial.skip

const seed = testSeed()
/** A wake-up that is lost stops the run for ever: this fails the test then. Nothing else looks at a clock. */
const WATCHDOG = byLength({ short: 60_000, long: 150_000 })
const repeat = `SYMPHONY_SEED=${String(seed)} repeats this run`

const usual = {
  seed,
  connections: 1,
  frames: byLength({ short: 3_000, long: 8_000 }),
  largestFrame: 300_000,
  windows: [0, 1, 8, 200],
  wake: 'park',
} as const

async function torture(t: ExecutionContext, plan: TorturePlan): Promise<readonly TortureReport[]> {
  t.timeout(WATCHDOG, `a wake-up was lost: ${repeat}`)
  t.log(repeat)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const settings = JSON.stringify(plan)
  const accepting = ChildProgram.start('shared-torture', ['accept', path, settings])
  const children = [accepting]
  try {
    await accepting.line('listening')
    children.push(ChildProgram.start('shared-torture', ['dial', path, settings]))
    const reports = await Promise.all(children.map(async (child) => JSON.parse(await child.next()) as TortureReport))
    for (const report of reports) {
      t.log(JSON.stringify(report))
      const { sent, received, codes, leaked } = report
      const frames = plan.connections * plan.frames
      t.deepEqual({ sent, received, codes, leaked }, { sent: frames, received: frames, codes: ['OK'], leaked: 0 })
    }
    for (const { exit } of children) {
      const { code, signal, stderr } = await exit
      t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    }
    return reports
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map(({ exit }) => exit))
    await folder.remove()
  }
}

/** Rings grow in the first few frames of a connection, so many connections. */
const growing = {
  ...usual,
  connections: byLength({ short: 15, long: 40 }),
  frames: 200,
  firstRingBytes: 4096,
  mostRingBytes: 524_288,
} as const

for (const wake of ['park', { spinMicros: 200 }, 'adaptive'] as const) {
  const how = typeof wake === 'string' ? wake : 'spinMicros'

  here(`two processes, main ${how}: rings that grow from the smallest`, async (t) => {
    for (const { wakes, grown } of await torture(t, { ...growing, wake })) {
      t.true(wakes > 3 * growing.connections)
      t.true(grown > growing.connections / 2)
    }
  })

  here(`two processes, main ${how}: the smallest rings, which cannot grow`, async (t) => {
    const reports = await torture(t, { ...usual, wake, firstRingBytes: 4096, mostRingBytes: 4096 })
    for (const { wakes, waits } of reports) t.true(wakes > 100 && waits > 100)
  })
}

here('two processes, main parked, mostly one small frame at a time', async (t) => {
  const frames = byLength({ short: 8_000, long: 20_000 })
  const small = { ...usual, frames, largestFrame: 64, windows: [0, 1, 2] } as const
  const reports = await torture(t, { ...small, firstRingBytes: 4096, mostRingBytes: 131_072 })
  for (const { wakes } of reports) t.true(wakes > frames / 50)
})

here('two processes, large frames; at the long length so many that positions begin again', async (t) => {
  const largestFrame = 1_000_000
  const frames = byLength({ short: 200, long: 10_000 })
  const large = { ...usual, frames, largestFrame, isBulk: true, windows: [4, 8] } as const
  const reports = await torture(t, { ...large, firstRingBytes: 4096, mostRingBytes: 8_388_608 })
  for (const { bytesReceived } of reports) t.true(bytesReceived > byLength({ short: 2 ** 25, long: 2 ** 32 }))
})

/** Answers of both event loops over which nothing may change before a side counts as asleep. */
const PROBES = 20

class HeldWait {
  readonly waiting: ChildProgram
  readonly peer: ChildProgram

  readonly #go: string

  private constructor(waiting: ChildProgram, peer: ChildProgram, go: string) {
    this.waiting = waiting
    this.peer = peer
    this.#go = go
  }

  /** Up to the point where one side is about to say that it waits. */
  static async run(
    t: ExecutionContext,
    what: 'bytes' | 'room',
    how: 'sound' | 'blind',
    test: (held: HeldWait) => Promise<void>,
  ): Promise<void> {
    t.timeout(WATCHDOG)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    const go = `${path}.go`
    execFileSync('mkfifo', [go])
    const waiting = ChildProgram.start('shared-wait', [path, what, how])
    const children = [waiting]
    try {
      await waiting.line('listening')
      const peer = ChildProgram.start('shared-wait', [path, 'peer'])
      children.push(peer)
      await peer.line('connected')
      const held = new HeldWait(waiting, peer, go)
      if (what === 'bytes') await held.tell('send')
      await waiting.line('held')
      await test(held)
    } finally {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(children.map(({ exit }) => exit))
      await folder.remove()
    }
  }

  async tell(what: 'send' | 'read' | 'probe'): Promise<{ received: number; wakes: number }> {
    this.peer.tell(what)
    return JSON.parse(await this.peer.next()) as { received: number; wakes: number }
  }

  goOn(): Promise<void> {
    return fs.writeFile(this.#go, 'on')
  }

  async probe(): Promise<WaitReport> {
    this.waiting.tell('probe')
    return JSON.parse(await this.waiting.next()) as WaitReport
  }

  /** Both event loops turn and answer, and nothing happens. */
  async isAsleep(t: ExecutionContext): Promise<WaitReport> {
    const first = await this.probe()
    for (let i = 0; i < PROBES; i++) {
      const { wakes } = await this.tell('probe')
      t.is(wakes, 0)
      t.deepEqual(await this.probe(), first)
    }
    return first
  }
}

here('bytes that come just before a consumer says that it waits are seen by its second look', (t) =>
  HeldWait.run(t, 'bytes', 'sound', async (held) => {
    t.is((await held.tell('send')).wakes, 0, 'nobody waits yet')
    await held.goOn()
    t.is((await held.probe()).received, 2)
  }),
)

here('control: without the second look a consumer sleeps over bytes that are there', (t) =>
  HeldWait.run(t, 'bytes', 'blind', async (held) => {
    t.is((await held.tell('send')).wakes, 0, 'nobody waits yet')
    await held.goOn()
    t.like(await held.isAsleep(t), { received: 1, isArmed: true, isDue: true })
    t.is((await held.tell('send')).wakes, 1)
    t.is((await held.probe()).received, 3, 'only a wake-up was missing')
  }),
)

here('room that comes just before a producer says that it waits is seen by its second look', (t) =>
  HeldWait.run(t, 'room', 'sound', async (held) => {
    t.deepEqual(await held.tell('read'), { received: 4, wakes: 0 })
    await held.goOn()
    await held.probe()
    t.is((await held.tell('probe')).received, 5)
  }),
)

here('control: without the second look a producer sleeps although there is room', (t) =>
  HeldWait.run(t, 'room', 'blind', async (held) => {
    t.deepEqual(await held.tell('read'), { received: 4, wakes: 0 })
    await held.goOn()
    t.like(await held.isAsleep(t), { isArmed: true, isDue: true })
    t.true((await held.tell('send')).wakes > 0)
    t.is((await held.probe()).received, 1, 'only a wake-up was missing')
    t.is((await held.tell('probe')).received, 5)
  }),
)
