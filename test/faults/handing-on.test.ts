/** Connections that one shard accepts and another one gets, while all goes well, and while something ends. */
import net from 'node:net'
import process from 'node:process'
import { MessagePort } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine, type Listener } from '../../api/index.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder, pathOf } from '../helpers/temporary-folder.js'
import { signal } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

/** What a shard serves itself is handed on sooner than what main handles. */
const ECHO = `data:text/javascript,${encodeURIComponent(
  'export default (connection) => void connection.subscribe((frame) => void connection.send(frame), { borrow: true })',
)}`

const WATCHDOG_MS = 40_000
const SHARDS = 4
/** Connections that are opened together. */
const BURST = 40
/** The kernel would have to be fair to all shards for so long that none has anything to hand on. */
const MOST_BURSTS = 100

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

/** Whether the peer got its frame back, once it has or its connection is over. */
async function wasServed(path: string, peers: net.Socket[]): Promise<boolean> {
  const socket = net.connect(path)
  peers.push(socket)
  socket.on('error', () => undefined)
  socket.once('connect', () => socket.write(rawFrame('x')))
  const over = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)))
  const answered = new Promise<boolean>((resolve) => socket.once('data', () => resolve(true)))
  return Promise.race([over, answered])
}

/** Opens connections, all of which stay, until a shard was given one of another's. */
async function untilHandedOn(
  t: ExecutionContext,
  onHandedOn: (engine: Engine, listener: Listener) => Promise<unknown>,
): Promise<{ served: number; peers: number }> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const engine = await createEngine({ ...faultyOptions(), shards: SHARDS })
  const peers: net.Socket[] = []
  const handedOn = signal()
  const state = { isHandedOn: false }
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its port
  const { postMessage } = MessagePort.prototype
  MessagePort.prototype.postMessage = function (this: MessagePort, message: unknown, ...rest: never[]): unknown {
    const { path } = message as { readonly path?: readonly string[] }
    if (path?.[0] === 'takeOver') handedOn.resolve()
    // Node goes by what it returns.
    return Reflect.apply(postMessage, this, [message, ...rest]) as unknown
  }
  try {
    const endpoint = folder.endpoint()
    const listener = await engine.transport(endpoint).listen({ handler: ECHO })
    const done = handedOn.promise.then(() => {
      state.isHandedOn = true
      return onHandedOn(engine, listener)
    })
    let served = 0
    for (let i = 0; i < MOST_BURSTS && !state.isHandedOn; i++) {
      const burst = Array.from({ length: BURST }, () => wasServed(pathOf(endpoint), peers))
      served += (await Promise.all(burst)).filter(Boolean).length
    }
    t.true(state.isHandedOn)
    await done
    return { served, peers: peers.length }
  } finally {
    MessagePort.prototype.postMessage = postMessage
    for (const peer of peers) peer.destroy()
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await folder.remove()
  }
}

onUnix('connections that are handed on to another shard are served, like all others', async (t) => {
  const { served, peers } = await untilHandedOn(t, () => Promise.resolve())
  t.is(served, peers)
})

onUnix('a listener that is closed while connections are handed on leaves none open', async (t) => {
  const { served, peers } = await untilHandedOn(t, (_, listener) => listener.close())
  t.true(served <= peers)
})

onUnix('shards that die while connections are handed on cut some of them, and leave none hanging', async (t) => {
  const lost = nextEvent('shard.lost')
  const { served, peers } = await untilHandedOn(t, async (engine) => {
    await Promise.all([1, 2, 3].map((shard) => strike(engine, shard, 'exit')))
    await lost
  })
  t.true(served <= peers)
})
