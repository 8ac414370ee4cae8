/** Everything that faults happen in: one engine, and for each target a peer with a link full of traffic. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createEngine, type Endpoint, type Engine, type ReconnectingOptions } from '../../api/index.js'
import { Random } from '../harness/random.js'
import { EnginePeer } from './engine-peer.js'
import { makeFrame, openFrame } from './frames.js'
import { Gate } from './gate.js'
import { MAX_FRAME_BYTES, type PeerFraming } from './peer-framing.js'
import { targetNames, type TargetName } from './plan.js'
import { POOL_USERS, PoolTraffic } from './pool-traffic.js'
import { faultyOptions } from './strikes.js'
import { ChildPeer, OwnPeer, SocketPeer, type Peer } from './targets.js'
import { Traffic, type Consuming } from './traffic.js'

export interface Target {
  readonly name: TargetName
  readonly peer: Peer
  readonly traffic: Traffic
  /** To a peer that is worth one. */
  readonly pool: PoolTraffic | undefined
}

/** A shard's JavaScript heap: one that eats memory is to get there soon. */
const HEAP_MB = 32
const MAX_PENDING_BYTES = 4 * MAX_FRAME_BYTES

interface Settings {
  readonly framing: PeerFraming
  readonly consuming: Consuming
  readonly options: ReconnectingOptions
  readonly hasPool: boolean
}

/** How long a peer may be silent, in milliseconds: a loss that is reported too soon on a busy machine is accounted for, too. */
const HEARTBEAT = { intervalMs: 300, timeoutMs: 1_000 }

/** No two alike, so that together they go through everything there is. */
const settingsOf: Record<TargetName, Settings> = {
  unix: {
    framing: 'length',
    consuming: 'subscribe',
    options: {
      unsent: 'resend',
      heartbeat: {
        ...HEARTBEAT,
        ping: () => makeFrame(0, 'ask', new Uint8Array()),
        isPong: (frame) => openFrame(frame)?.purpose === 'ask',
      },
    },
    hasPool: true,
  },
  stdio: {
    framing: 'content-length',
    consuming: 'iterate',
    options: { unsent: 'resend', retainBytes: 65_536 },
    hasPool: false,
  },
  memory: { framing: 'length-be', consuming: 'receive', options: { unsent: 'drop' }, hasPool: true },
  hosted: {
    framing: 'length',
    consuming: 'receive',
    options: { unsent: 'resend', retainBytes: 1_000 },
    hasPool: false,
  },
}

export class World {
  readonly engine: Engine
  readonly folder: string
  readonly gate: Gate
  readonly targets: ReadonlyMap<TargetName, Target>
  readonly #stopListening: () => void

  private constructor(
    engine: Engine,
    folder: string,
    gate: Gate,
    targets: ReadonlyMap<TargetName, Target>,
    stopListening: () => void,
  ) {
    this.engine = engine
    this.folder = folder
    this.gate = gate
    this.targets = targets
    this.#stopListening = stopListening
  }

  static async start(seed: number, folder: string, names: readonly TargetName[]): Promise<World> {
    const engine = await createEngine({
      ...faultyOptions('memory'),
      ...faultyOptions('stuck'),
      shardHeapMb: HEAP_MB,
      shards: 2,
      initialRingBytes: 4_096,
      maxRingBytes: 131_072,
    })
    const gate = new Gate()
    const targets = new Map<TargetName, Target>()
    const stopListening = countFailures(targets, gate)
    for (const name of names) {
      const random = new Random(seed, 1 + targetNames.indexOf(name))
      targets.set(name, await startTarget(engine, folder, name, gate, random))
    }
    return new World(engine, folder, gate, targets, stopListening)
  }

  get traffics(): readonly Traffic[] {
    return [...this.targets.values()].map(({ traffic }) => traffic)
  }

  get pools(): readonly PoolTraffic[] {
    return [...this.targets.values()].flatMap(({ pool }) => (pool === undefined ? [] : [pool]))
  }

  /** Links and pools. */
  get flows(): readonly (Traffic | PoolTraffic)[] {
    return [...this.traffics, ...this.pools]
  }

  get anyTarget(): Target {
    const [target] = this.targets.values()
    if (target === undefined) throw new Error('there are no targets')
    return target
  }

  target(name: TargetName): Target {
    const target = this.targets.get(name)
    if (target === undefined) throw new Error(`there is no target ${name}`)
    return target
  }

  /** Ends all traffic, closes the books, and the engine; returns what that leaks. */
  async stop(): Promise<number> {
    await Promise.all(this.flows.map((flow) => flow.stop()))
    // Whoever has still something of an old connection to read does so before it ends.
    await Promise.all([...this.targets.values()].map(({ peer }) => peer.close()))
    const { leaked } = await this.engine.close()
    for (const { peer, traffic } of this.targets.values()) traffic.book.close(peer.record())
    this.#stopListening()
    return leaked
  }
}

async function startTarget(
  engine: Engine,
  folder: string,
  name: TargetName,
  gate: Gate,
  random: Random,
): Promise<Target> {
  const { framing, consuming, options, hasPool } = settingsOf[name]
  const [peer, endpoint] = await startPeer(engine, folder, name, framing)
  const transport = engine.transport(endpoint, {
    framing,
    maxFrameBytes: MAX_FRAME_BYTES,
    maxPendingBytes: MAX_PENDING_BYTES,
    connectTimeoutMs: 30_000,
    closeTimeoutMs: 10_000,
  })
  const traffic = new Traffic(
    name,
    (hooks) =>
      transport.reconnecting({
        backoff: { initialMs: 1, maxMs: 20, factor: 2 },
        stableMs: 0,
        breaker: { failures: 3, openMs: 30 },
        ...options,
        ...hooks,
      }),
    consuming,
    random,
    gate,
  )
  const pool = hasPool
    ? new PoolTraffic(
        `pool to ${name}`,
        transport.pool({ min: POOL_USERS, max: POOL_USERS, backoff: { initialMs: 1, maxMs: 20 } }),
        random,
        gate,
      )
    : undefined
  return { name, peer, traffic, pool }
}

async function startPeer(
  engine: Engine,
  folder: string,
  name: TargetName,
  framing: PeerFraming,
): Promise<readonly [Peer, Endpoint]> {
  const record = `${folder}/${name}.record`
  switch (name) {
    case 'unix': {
      const path = `${folder}/peer.sock`
      return [await SocketPeer.start(path, framing, record), `unix:${path}`]
    }
    case 'stdio': {
      const peer = new ChildPeer(framing, record)
      return [peer, peer.endpoint]
    }
    case 'memory':
    case 'hosted': {
      const endpoint = name === 'memory' ? 'memory:chaos' : `unix:${folder}/own.sock`
      return [new OwnPeer(await EnginePeer.listen(engine, endpoint, framing, record), record), endpoint]
    }
  }
}

/** The engine says of each attempt that fails whose it was. */
function countFailures(targets: ReadonlyMap<TargetName, Target>, gate: Gate): () => void {
  const onFailure = (message: unknown): void => {
    const { id } = message as { readonly id: string }
    for (const { traffic } of targets.values()) if (traffic.link.info.id === id) traffic.failures++
    gate.poke()
  }
  subscribe('symphony-transport:link.failed', onFailure)
  return () => {
    unsubscribe('symphony-transport:link.failed', onFailure)
  }
}
