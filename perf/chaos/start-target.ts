/** Starts each target of the campaign: its peer, the reconnecting connection to it, and for some a pool. */
import type { Endpoint, Engine, ReconnectingOptions } from '../../api/index.js'
import type { Random } from '../harness/seeded-random.js'
import { EnginePeer } from './engine-peer.js'
import { makeFrame, openFrame } from './campaign-frames.js'
import type { Gate } from './gate.js'
import { MAX_FRAME_BYTES, type PeerFraming } from './peer-framing.js'
import type { TargetName } from './plan.js'
import { POOL_USERS, PoolTraffic } from './pool-traffic.js'
import { ChildPeer, OwnPeer, ShardPeer, SocketPeer, type Peer } from './targets.js'
import { Traffic, type Consuming } from './traffic.js'

export interface Target {
  readonly name: TargetName
  readonly peer: Peer
  readonly traffic: Traffic
  /** For peers that serve many connections. */
  readonly pool: PoolTraffic | undefined
}

const MAX_PENDING_BYTES = 4 * MAX_FRAME_BYTES

interface Settings {
  readonly framing: PeerFraming
  readonly consuming: Consuming
  readonly options: ReconnectingOptions
  readonly hasPool: boolean
}

/**
 * How long a peer may be silent, in milliseconds. On a busy machine this may report a loss too early, which is
 * accounted for like any other.
 */
const HEARTBEAT = { intervalMs: 300, timeoutMs: 1_000 }

/** All different, so that together they use every option. */
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
  shared: {
    framing: 'length',
    consuming: 'subscribe',
    options: { unsent: 'resend', retainBytes: 200_000 },
    hasPool: true,
  },
  'fallen-back': { framing: 'length', consuming: 'iterate', options: { unsent: 'resend' }, hasPool: false },
  handlers: { framing: 'length-be', consuming: 'subscribe', options: { unsent: 'resend' }, hasPool: true },
}

export async function startTarget(
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
      return [await SocketPeer.start({ path, framing, record }), `unix:${path}`]
    }
    case 'shared': {
      const path = `${folder}/shared.sock`
      return [await SocketPeer.start({ path, framing, record }, 'shared-peer'), `shm:${path}`]
    }
    case 'fallen-back': {
      const path = `${folder}/fallen-back.sock`
      return [await SocketPeer.start({ path, framing, record, shakes: true }), `shm:${path}`]
    }
    case 'stdio': {
      const peer = new ChildPeer(framing, record)
      return [peer, peer.endpoint]
    }
    case 'handlers': {
      const endpoint = `unix:${folder}/handlers.sock`
      return [await ShardPeer.listen(engine, endpoint, framing, record), endpoint]
    }
    case 'memory':
    case 'hosted': {
      const endpoint = name === 'memory' ? 'memory:chaos' : `unix:${folder}/own.sock`
      return [new OwnPeer(await EnginePeer.listen(engine, endpoint, framing, record), record), endpoint]
    }
  }
}
