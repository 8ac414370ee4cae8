/** Engines and shared memory: why there is none, shards that die, peers that die, reconnecting connections. */
import { once } from 'node:events'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { startEngine } from '../../api/engine.js'
import { createEngine, type Connection, type LossReport } from '../../api/index.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { LaneWordTable } from '../../engine/shared-memory/lane-words.js'
import { ChildProgram } from '../helpers/child-program.js'
import { rejects } from '../helpers/expected-errors.js'
import { EventLog, faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { nativeMemories } from '../helpers/native-memories.js'
import { numbered, PeerServer } from '../helpers/peer-server.js'
import { withSharedEngines } from '../helpers/shared-engines.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const onShared = nativeMemories.length === 0 ? test.serial.skip : test.serial
const flags = process.allowedNodeEnvironmentFlags
const permission = flags.has('--permission') ? '--permission' : '--experimental-permission'
const net = flags.has('--allow-net') ? ['--allow-net'] : []
/** No breaker: the peer may take its time to appear. */
const quick = { backoff: { initialMs: 1, maxMs: 20 }, breaker: false } as const

failOnWarnings()

async function echo(connection: Connection, text: string): Promise<string> {
  connection.send(text)
  return String(await connection.receive())
}

const echoing = (connection: Connection): void => {
  connection.subscribe((frame) => connection.send(frame))
}

onUnix('without system calls frames go over the socket, and the engine says why, once', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = `shm:${folder.socketPath()}`
  const log = new EventLog('shared-memory.unavailable')
  const reason = 'there is nothing here'
  const poor = await startEngine({ shards: 1 }, systemClock, () => Promise.resolve({ reason }))
  const other = await createEngine({ shards: 1 })
  try {
    t.is(poor.stats().sharedMemory.state, 'unknown')
    const listener = await poor.transport(endpoint).listen(echoing)
    for (const engine of [other, poor, other]) {
      const connection = await engine.transport(endpoint).connect()
      t.is(connection.info.memory, 'socket')
      t.is(await echo(connection, 'x'.repeat(100_000)), 'x'.repeat(100_000))
      await connection.close()
    }
    await listener.close()
    // The other way round: the end that dials has none.
    await other.transport(endpoint).listen(echoing)
    const connection = await poor.transport(endpoint).connect()
    t.is(connection.info.memory, 'socket')
    t.is(await echo(connection, 'y'), 'y')
    t.like(poor.stats().sharedMemory, { state: 'unavailable', provider: undefined, reason, connections: 0 })
    t.deepEqual(log.lines.filter(({ message }) => (message as { reason: string }).reason === reason).length, 1)
  } finally {
    log.stop()
    for (const engine of [poor, other]) t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await folder.remove()
  }
})

onUnix('an engine in a worker thread works over the socket, and says why', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const thread = new Worker(new URL('../fixtures/memory-report.js', import.meta.url), {
    workerData: `shm:${folder.socketPath()}`,
  })
  try {
    const [report] = (await once(thread, 'message')) as [string]
    t.deepEqual(JSON.parse(report), {
      memories: ['socket', 'socket'],
      state: 'unavailable',
      reason: 'the engine runs in a worker thread: create it on the main thread',
      events: 1,
      leaked: 0,
    })
  } finally {
    await thread.terminate()
    await folder.remove()
  }
})

onUnix('where the permission model forbids addons, frames go over the socket', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const nodeArgs = [permission, '--allow-worker', '--allow-fs-read=*', '--allow-fs-write=*', '--allow-child-process']
  const child = ChildProgram.start('memory-report', [`shm:${folder.socketPath()}`], { nodeArgs: [...nodeArgs, ...net] })
  try {
    const { lines, code, stderr } = await child.exit
    t.is(code, 0, stderr)
    const { reason, ...rest } = JSON.parse(lines[0] ?? '') as { readonly reason: string }
    t.deepEqual(rest, { memories: ['socket', 'socket'], state: 'unavailable', events: 1, leaked: 0 } as unknown)
    t.regex(reason, /--allow-addons/)
    t.is(lines[1], 'empty')
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
  }
})

for (const side of ['dialling', 'listening'] as const) {
  onShared(`connections go on when the shards of the ${side} engine die, and new ones come after them`, async (t) => {
    await withSharedEngines(t, { [side]: faultyOptions() }, async (scene) => {
      const { dialled, accepted } = await scene.pair()
      // Not taken from the listener yet.
      const untaken = await scene.dialling.transport(scene.endpoint).connect()
      await until(() => scene.listener.stats().queued === 1)
      const restored = nextEvent('shard.restored')
      await strike(scene[side], 0, 'exit')
      echoing(accepted)
      t.is(await echo(dialled, 'z'.repeat(1_000_000)), 'z'.repeat(1_000_000))
      await restored
      const taken = await scene.listener.accept()
      if (taken === undefined) throw new Error('the listener has closed')
      t.is(taken.info.memory, 'shared')
      echoing(taken)
      t.is(await echo(untaken, 'taken'), 'taken')
      const next = await scene.pair()
      echoing(next.accepted)
      t.is(await echo(next.dialled, 'next'), 'next')
      t.is(await echo(dialled, 'still there'), 'still there')
      t.deepEqual(await Promise.all([dialled.close(), accepted.closed]), [{ code: 'OK' }, { code: 'OK' }])
    })
  })
}

onShared('a peer process that is killed is ERR_RESET, behind what lay in the ring', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = `shm:${folder.socketPath()}`
  const engine = await createEngine({ shards: 1 })
  const child = ChildProgram.start('released-listener', [endpoint, '1'])
  try {
    await child.line('open')
    const connection = await engine.transport(endpoint).connect()
    t.is(connection.info.memory, 'shared')
    const frames = Array.from({ length: 20 }, (_, i) => numbered(i, 100))
    for (const frame of frames) connection.send(frame)
    await until(() => connection.pendingBytes === 0)
    // What it answers here, it answers after them. None of those was read.
    t.is(await echo(await engine.transport(endpoint).connect(), 'seen'), 'seen')
    child.kill('SIGKILL')
    let count = 0
    const end: unknown = await (async () => {
      for (;;) {
        const frame = await connection.receive()
        if (count < frames.length) t.true(frame?.equals(frames[count] ?? Buffer.of()))
        count++
      }
    })().catch((error: unknown) => error)
    t.true(count >= frames.length)
    t.is((end as { code: string }).code, 'ERR_RESET')
    t.is((await connection.closed).code, 'ERR_RESET')
  } finally {
    child.kill('SIGKILL')
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await folder.remove()
  }
})

onShared('a reconnecting connection whose peer process is killed accounts for each frame, and goes on', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const endpoint = `shm:${folder.socketPath()}`
  const engine = await createEngine({ shards: 1 })
  const children: ChildProgram[] = []
  const start = async (): Promise<ChildProgram> => {
    const child = ChildProgram.start('released-listener', [endpoint, '1'])
    children.push(child)
    await child.line('open')
    return child
  }
  try {
    const first = await start()
    const reports: LossReport[] = []
    const reconnecting = engine.transport(endpoint).reconnecting({
      ...quick,
      onLoss: (report) => void reports.push(report),
    })
    const back: number[] = []
    reconnecting.subscribe((frame) => void back.push(Number(String(frame.subarray(0, 12)))))
    let sent = 0
    const send = async (until: () => boolean): Promise<void> => {
      while (!until()) {
        for (let i = 0; i < 20; i++) reconnecting.send(numbered(sent++, 300))
        await reconnecting.ready()
        await turns()
      }
    }
    await send(() => back.length > 100)
    first.kill('SIGKILL')
    await until(() => reports.length === 1)
    t.is(reports[0]?.code, 'ERR_RESET')
    await start()
    await send(() => reconnecting.state === 'connected')
    const last = sent
    await send(() => (back.at(-1) ?? 0) > last)
    await reconnecting.close()
    const [report] = reports
    if (report === undefined) throw new Error('no report')
    const { handedOver, unconfirmed, dropped } = report
    t.deepEqual(dropped, [])
    t.deepEqual(
      unconfirmed.map((frame) => Number(String(frame.subarray(0, 12)))),
      unconfirmed.map((_, i) => handedOver + i),
    )
    // Of the first connection comes back what had been taken; the next one begins behind what may have been.
    const next = handedOver + unconfirmed.length
    const again = back.indexOf(next)
    t.true(again > 100 && again <= next, `${String(again)} of ${String(next)}`)
    t.deepEqual(
      back,
      back.map((_, i) => (i < again ? i : next + i - again)),
    )
  } finally {
    for (const child of children) child.kill('SIGKILL')
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await folder.remove()
  }
})

onShared('the death of its shard is no loss for a reconnecting connection', async (t) => {
  await withSharedEngines(t, { dialling: faultyOptions() }, async ({ dialling, listening, endpoint, listener }) => {
    await listener.close()
    const peer = await new PeerServer(listening, endpoint, {}, true).listen()
    const losses: LossReport[] = []
    const reconnecting = dialling.transport(endpoint).reconnecting({
      ...quick,
      onLoss: (report) => void losses.push(report),
    })
    t.is(reconnecting.info.memory, undefined)
    await reconnecting.connected()
    t.is(reconnecting.info.memory, 'shared')
    const restored = nextEvent('shard.restored')
    await strike(dialling, 0, 'exit')
    await restored
    for (let i = 0; i < 100; i++) reconnecting.send(numbered(i, 1_000))
    for (let i = 0; i < 100; i++) t.deepEqual(await reconnecting.receive(), numbered(i, 1_000))
    peer.kill()
    await until(() => losses.length === 1)
    await reconnecting.connected()
    reconnecting.send('7')
    t.is(String(await reconnecting.receive()), '7')
    t.is((await reconnecting.close()).code, 'OK')
    await peer.close()
  })
})

onShared('a closing engine lets what was sent arrive, and waits for handlers at work', async (t: ExecutionContext) => {
  await withSharedEngines(t, {}, async ({ dialling, listening, pair }) => {
    const { dialled, accepted } = await pair()
    const received: string[] = []
    accepted.subscribe(async (frame) => {
      await turns(3)
      accepted.send(`re ${String(frame)}`)
    })
    dialled.subscribe((frame) => void received.push(String(frame)))
    dialled.send('question')
    // It lies in the segment, and nobody has looked.
    await Promise.resolve()
    await listening.close()
    t.deepEqual(received, ['re question'])
    t.deepEqual(await dialled.closed, { code: 'OK' })
    t.is(dialling.stats().connections, 0)
  })
})

onShared('where memory runs out once both ends have agreed, that connection fails and leaves nothing', async (t) => {
  await withSharedEngines(t, {}, async ({ dialling, listening, endpoint, pair }) => {
    const { take } = LaneWordTable.prototype as { take: (this: LaneWordTable) => ReturnType<LaneWordTable['take']> }
    const refused = nextEvent('listener.refused')
    let left = 2
    LaneWordTable.prototype.take = function (this: LaneWordTable) {
      if (left-- > 0) throw new RangeError('Array buffer allocation failed')
      return take.call(this)
    }
    try {
      await rejects(t, dialling.transport(endpoint).connect(), 'ERR_OUT_OF_MEMORY')
      await refused
    } finally {
      LaneWordTable.prototype.take = take
    }
    for (const engine of [dialling, listening]) {
      const { segments, mappings, duplicates } = engine.stats().ledger.byKind
      t.deepEqual([segments.open, mappings.open, duplicates.open], [0, 0, 0])
    }
    const { dialled } = await pair()
    await dialled.close()
  })
})
