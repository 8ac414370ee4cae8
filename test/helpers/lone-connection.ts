/** A connection whose shard is the test: the test changes the lane's words itself, and notifies. */
import { LaneConnection } from '../../engine/connection/lane-connection.js'
import { Lane, type ConnectionIdentity } from '../../engine/connection/connection-lane.js'
import type { LaneHost } from '../../engine/connection/lane-host.js'
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import type { LaneGrant } from '../../engine/protocol/lane.js'
import { inWords, outWords, regionSizeFor, type lane } from '../../engine/protocol/ring-layout.js'
import { RingConsumer, RingProducer } from '../../engine/protocol/ring.js'
import { HandlerFailures } from '../../engine/common/handler-failures.js'
import { systemClock } from '../../engine/protocol/clock.js'
import { FakeAnnouncer } from './fake-announcer.js'
import { specOf } from './wire-bytes.js'
import { createLanes, createRegions } from './fresh-memory.js'

const RING_BYTES = 4096
const MAX_FRAME_BYTES = 1_000_000

const identity: ConnectionIdentity = {
  kind: 'memory',
  endpoint: 'memory:x',
  role: 'dialled',
  halfClose: true,
  hasDescriptor: false,
}

/** The lane alone, for tests of what is built on it. */
export class LoneLane {
  readonly host: LaneHost
  readonly grant: LaneGrant
  readonly settings: ConnectionSettings
  /** What the peer sends. */
  readonly producer: RingProducer
  /** What is sent to the peer. */
  readonly consumer: RingConsumer
  /** Larger regions are there once it has acknowledged their slab. */
  readonly announcer = new FakeAnnouncer()
  readonly #words: Int32Array
  readonly #base: number

  constructor(options: Partial<ConnectionSettings> = {}, ringBytes = RING_BYTES) {
    const regions = createRegions(this.announcer)
    const lanes = createLanes(regions)
    const grant = lanes.take(ringBytes)
    this.grant = grant
    this.#words = lanes.table.wordsOf(grant.id)
    this.#base = lanes.table.baseOf(grant.id)
    const host: LaneHost = {
      shard: 0,
      slabs: regions.table,
      wordsOf: () => this.#words,
      baseOf: () => this.#base,
      notify: () => undefined,
      doorbell: {
        flushSoon: (flushable) => {
          queueMicrotask(() => {
            flushable.flush(true)
          })
        },
        awaitReply: () => undefined,
        replied: () => undefined,
        revisit: (reader) => {
          queueMicrotask(() => {
            if (reader.onNotify()) host.doorbell.revisit(reader)
          })
        },
      },
      takeRegion: (bytes, onKnown) => regions.takeKnown(regionSizeFor(bytes), onKnown),
      giveRegion: (id) => {
        regions.give(id)
      },
      releaseLane: () => {
        lanes.give(grant)
      },
      turned: () => Promise.resolve(),
      keepAlive: () => undefined,
      inline: undefined,
      idPrefix: '',
      fetches: undefined,
      onTaken: undefined,
    }
    this.producer = new RingProducer(this.#words, this.#base, inWords, regions.table)
    this.consumer = new RingConsumer(this.#words, this.#base, outWords, regions.table)
    this.host = host
    this.settings = {
      engine: '0',
      framing: specOf('length', { maxFrameBytes: MAX_FRAME_BYTES }),
      maxFrameBytes: MAX_FRAME_BYTES,
      maxPendingBytes: MAX_FRAME_BYTES,
      maxRingBytes: RING_BYTES,
      frameTimeoutMs: undefined,
      closeTimeoutMs: 2_000,
      allowHalfOpen: false,
      inlineWrites: 'auto',
      inlineWriteBytes: 4096,
      failures: new HandlerFailures(systemClock, undefined),
      onOutlived: () => undefined,
      clock: systemClock,
      ...options,
    }
  }

  createLane(): Lane {
    return new Lane(this.host, this.grant, this.settings, identity)
  }

  load(word: (typeof lane)[keyof typeof lane]): number {
    return Atomics.load(this.#words, this.#base + word)
  }

  store(word: (typeof lane)[keyof typeof lane], value: number): void {
    Atomics.store(this.#words, this.#base + word, value)
  }

  /** The peer takes everything that lies in the ring. */
  takeAll(): void {
    this.consumer.consume(this.consumer.refresh())
    this.consumer.release()
  }
}

export class LoneConnection extends LoneLane {
  readonly connection: LaneConnection

  constructor(options: Partial<ConnectionSettings> = {}) {
    super(options)
    this.connection = new LaneConnection(this.host, this.grant, this.settings, identity)
  }
}
