/** Connections that come and go take no more memory than those that are there at one time. */
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import type { ChurnPlan, ChurnReport } from '../../perf/harness/churn-plan.js'
import { ChildProgram } from '../helpers/child-program.js'
import { byLength } from '../helpers/length.js'
import { nativeMemories } from '../helpers/native-memories.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 150_000
const FEW = byLength({ short: 12, long: 60 })
const SOME = byLength({ short: 100, long: 300 })
const MANY = byLength({ short: 200, long: 1_000 })
const KILLS = byLength({ short: 6, long: 10 })
/** What a process with an engine takes anyway, plus its garbage. Without a bound it would be hundreds more. */
const MOST_RESIDENT_MIB = 300
/** Lanes that a listener has in stock, on two shards. */
const STOCK_MIB = 2 * 2
/** A slab that is in use and a spare one, a shard; and one that is on its way from one shard to another. */
const MOST_SLABS_MIB = 32

async function churn(t: ExecutionContext, plan: Partial<ChurnPlan>, kind = 'unix'): Promise<ChurnReport> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const whole: ChurnPlan = {
    stack: 'engine',
    endpoint: process.platform === 'win32' ? `pipe:${randomName()}` : `${kind}:${folder.socketPath()}`,
    connections: SOME,
    bytes: 200_000,
    concurrency: 1,
    shards: 1,
    framing: 'length',
    kills: 0,
    ...plan,
  }
  const child = ChildProgram.start('connection-churn', [JSON.stringify(whole)])
  try {
    const { lines, stderr, code } = await child.exit
    t.is(stderr, '')
    t.is(code, 0)
    const report = JSON.parse(lines[0] ?? '') as ChurnReport
    t.log(JSON.stringify(report))
    t.is(report.served + report.lost, whole.connections)
    t.is(report.leaked, 0)
    t.true(report.peakMiB < MOST_RESIDENT_MIB, `${String(report.peakMiB)} MiB resident`)
    // All ring memory is shared memory, and no other shared memory has that size.
    t.true(report.madeMiB < report.ringMiB + 2, 'what the statistics say is what there is')
    return report
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
}

test.serial(`${String(MANY)} connections of 200 KB, one after the other`, async (t) => {
  const report = await churn(t, { connections: MANY })
  t.true(report.madeMiB < MOST_SLABS_MIB, `${String(report.madeMiB)} MiB made`)
})

test.serial('frames of 4 MiB over several shards', async (t) => {
  const report = await churn(t, { connections: FEW, bytes: 4_194_304, concurrency: 2, shards: 2 })
  // Four rings of 8 MiB, and the smaller ones that they grew from, for each of two connections with both ends here.
  t.true(report.madeMiB < 2 * 4 * 16 + MOST_SLABS_MIB, `${String(report.madeMiB)} MiB made`)
})

test.serial('a translated framing', async (t) => {
  const report = await churn(t, { framing: 'line' })
  t.true(report.madeMiB < MOST_SLABS_MIB, `${String(report.madeMiB)} MiB made`)
})

test.serial('shards that die and come back take over the memory of those before them', async (t) => {
  const report = await churn(t, { connections: 10 * KILLS, kills: KILLS })
  t.is(report.kills, KILLS)
  t.true(report.madeMiB < MOST_SLABS_MIB, `${String(report.madeMiB)} MiB made`)
})

const onShared = nativeMemories.length === 0 ? test.serial.skip : test.serial

onShared('connections over shared memory take no rings of shards with them', async (t) => {
  const report = await churn(t, {}, 'shm')
  t.true(report.madeMiB < MOST_SLABS_MIB, `${String(report.madeMiB)} MiB made`)
})

interface Moment {
  readonly when: string
  readonly heldMiB: number
  readonly inUseMiB: number
  readonly spareMiB: number
  readonly residentMiB: number
}

test.serial('memory of a burst is kept for the next one, and given up when it is not used for long', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = process.platform === 'win32' ? `pipe:${randomName()}` : `unix:${folder.socketPath()}`
  const child = ChildProgram.start('memory-burst', [endpoint], { nodeArgs: ['--expose-gc'] })
  try {
    const { lines, stderr, code } = await child.exit
    t.is(stderr, '')
    t.is(code, 0)
    t.log(lines.join(' '))
    const [burst, after, later, again, afterAgain] = lines.slice(0, 5).map((line) => JSON.parse(line) as Moment)
    t.is(lines[5], '0')
    const total = (moment: Moment | undefined): number => (moment?.heldMiB ?? 0) + (moment?.spareMiB ?? 0)
    t.true(total(burst) >= 48, 'rings of a megabyte and more, and two for each end')
    t.true((after?.inUseMiB ?? Infinity) <= STOCK_MIB)
    // It may have grown between the two: a ring's larger region can come after its frame has been read.
    t.true(total(after) >= total(burst), 'all of it is kept')
    t.is(later?.spareMiB, 0)
    t.true(total(later) <= 32, 'a slab in use and a spare one for each shard')
    t.true((later?.residentMiB ?? Infinity) < (after?.residentMiB ?? 0) - 16, 'the system has it back')
    t.true(total(again) >= 48, 'and it is there when it is needed again')
    t.true((afterAgain?.inUseMiB ?? Infinity) <= STOCK_MIB)
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
})
