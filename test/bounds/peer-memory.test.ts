/**
 * How much memory a peer that does not read, or a listener that does not accept, can cost.
 */
import fs from 'node:fs'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { byLength } from '../helpers/length.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 150_000

/** What is offered to a peer that does not read: many times what is kept, in frames of 64 KiB. */
const OFFERED_MIB = byLength({ short: 128, long: 512 })
const FRAMES = OFFERED_MIB * 16

/** Two rings of 8 MiB, both ends being here. */
const RINGS_MIB = 16
/** The default of maxPendingBytes. */
const PENDING_MIB = 16
/**
 * Garbage that is not collected yet, in two threads, and the allocator's slack. Without a bound it would be all that is
 * offered.
 */
const SLACK_MIB = 64

interface Stall {
  readonly stalledAt: number
  readonly sent: number
  readonly refused: number
  readonly received: number
  readonly inOrder: boolean
  readonly grownMiB: number
}

async function withEndpoint(kind: 'unix' | 'memory', body: (endpoint: string) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder()
  try {
    await body(kind === 'unix' ? `unix:${folder.socketPath()}` : `memory:${randomName()}`)
  } finally {
    await folder.remove()
  }
}

async function stall(t: ExecutionContext, kind: 'unix' | 'memory', way: string): Promise<Stall> {
  t.timeout(WATCHDOG_MS)
  let result: Stall | undefined
  await withEndpoint(kind, async (endpoint) => {
    const child = ChildProgram.start('stalled-peer', [endpoint, way, String(FRAMES)])
    try {
      const { lines, stderr, code } = await child.exit
      t.is(stderr, '')
      t.is(code, 0)
      result = JSON.parse(lines[0] ?? '') as Stall
    } finally {
      child.kill('SIGKILL')
    }
  })
  if (result === undefined) throw new Error('the program said nothing')
  t.log(JSON.stringify(result))
  t.is(result.received, result.sent)
  t.true(result.inOrder)
  return result
}

for (const kind of ['unix', 'memory'] as const) {
  test.serial(
    `${kind}: a sender that waits for room offers ${String(OFFERED_MIB)} MiB to a stalled peer in bounded memory`,
    async (t) => {
      const { stalledAt, sent, refused, grownMiB } = await stall(t, kind, 'careful')
      t.is(sent, FRAMES)
      t.is(refused, 0)
      t.true(stalledAt * 65_536 < (RINGS_MIB + 8) * 1_048_576, 'it was stopped')
      t.true(grownMiB < RINGS_MIB + SLACK_MIB, `${String(grownMiB)} MiB`)
    },
  )

  test.serial(`${kind}: a sender that does not wait is refused past maxPendingBytes, in bounded memory`, async (t) => {
    const { stalledAt, sent, refused, grownMiB } = await stall(t, kind, 'careless')
    t.is(sent + refused, FRAMES)
    t.is(sent, stalledAt)
    t.true(sent * 65_536 < (RINGS_MIB + PENDING_MIB + 8) * 1_048_576)
    t.true(sent * 65_536 > PENDING_MIB * 1_048_576 * 0.9)
    t.true(grownMiB < RINGS_MIB + PENDING_MIB + SLACK_MIB, `${String(grownMiB)} MiB`)
  })

  test.serial(`${kind}: a million tiny frames wait unread in bounded memory and are read in order`, async (t) => {
    const { stalledAt, sent, grownMiB } = await stall(t, kind, 'tiny')
    t.is(sent, 1_000_000)
    t.true(stalledAt < sent, 'they did not all fit')
    t.true(grownMiB < RINGS_MIB + SLACK_MIB, `${String(grownMiB)} MiB`)
  })
}

interface Crowd {
  readonly accepted: number
  readonly mostQueued: number
  readonly refused: number
  readonly pauses: number
  readonly alternate: boolean
}

/** memory: connections use no descriptors, so fewer connections show the same. */
const CROWDS = byLength({ short: { unix: 2_000, memory: 1_500 }, long: { unix: 10_000, memory: 4_000 } })
const MAX_QUEUED = 1024
const manyFiles = { manyFiles: true }

/** Fewer where the system allows fewer descriptors; the limit is raised as far as it goes. */
function wanted(kind: 'unix' | 'memory', count: number): number {
  if (kind === 'memory' || process.platform !== 'linux') return count
  const limits = fs.readFileSync('/proc/self/limits', 'utf8')
  const hard = /Max open files\s+\d+\s+(\d+|unlimited)/.exec(limits)?.[1]
  return Math.min(count, hard === 'unlimited' ? count : Number(hard ?? 1024) - 200)
}

for (const kind of ['unix', 'memory'] as const) {
  const count = wanted(kind, CROWDS[kind])
  test.serial(
    `${kind}: of ${String(count)} connections that the host does not accept few are queued, and all are served in the end`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      await withEndpoint(kind, async (endpoint) => {
        // In two processes where each end takes a descriptor.
        const role = kind === 'unix' ? 'listen' : 'both'
        const host = ChildProgram.start('crowd', [endpoint, role, String(count)], manyFiles)
        const crowd = kind === 'unix' ? ChildProgram.start('crowd', [endpoint, 'dial', String(count)], manyFiles) : host
        try {
          await Promise.all([...new Set([host, crowd])].map((child) => child.line('up')))
          crowd.tell('dial')
          await crowd.line('dialling')
          let queued = 0
          while (queued < MAX_QUEUED) {
            host.tell('queued')
            queued = Number((await host.next()).replace('queued ', ''))
          }
          host.tell('memory')
          t.log(`listener: ${await host.next()} MiB resident with ${String(queued)} queued`)
          host.tell('accept')
          const told = [await host.next()]
          told.push(await crowd.next())
          const { accepted, mostQueued, refused, pauses, alternate } = JSON.parse(
            told.find((line) => line.startsWith('{')) ?? '',
          ) as Crowd
          t.log(`${String(pauses)} pauses, at most ${String(mostQueued)} queued`)
          t.is(accepted, count)
          t.is(refused, 0)
          t.true(mostQueued <= MAX_QUEUED)
          t.true(pauses >= 2)
          t.true(alternate, 'each shard pauses and resumes in turn')
          t.true(told.includes(`served ${String(count)}`))
          for (const child of new Set([host, crowd])) {
            child.tell('leave')
            await child.line('leaked 0')
            t.is((await child.exit).stderr, '')
          }
        } finally {
          host.kill('SIGKILL')
          crowd.kill('SIGKILL')
        }
      })
    },
  )
}
