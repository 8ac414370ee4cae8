/** One listener that a shard serves, in the thread of the test and on its clock: from set-up to teardown. */
import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import type { Connection } from '../../../api/index.js'
import { createCounters, readHandlerCounters } from '../../../engine/protocol/counters.js'
import { serializeError, TransportError } from '../../../engine/protocol/errors.js'
import { HandlerCounts } from '../../../engine/protocol/handler-counts.js'
import type { HandlerReport } from '../../../engine/protocol/handling.js'
import type { HandlerContext } from '../../../engine/common/handler-module.js'
import { Meter } from '../../../workers/meter.js'
import { ShardLoads } from '../../../engine/protocol/shard-loads.js'
import { OwnLoad } from '../../../workers/own-load.js'
import { HandlerMeter } from '../../../workers/handlers/handler-meter.js'
import { HandlerModules } from '../../../workers/handlers/handler-modules.js'
import { HandlerReports } from '../../../workers/handlers/handler-reports.js'
import { ServedLanes } from '../../../workers/handlers/served-lanes.js'
import { ServedMemory } from '../../../workers/handlers/served-memory.js'
import { ServedListener } from '../../../workers/handlers/served-listener.js'
import type { AcceptedPeer } from '../../../workers/shard-transport.js'
import { MemoryWire } from '../../../workers/transports/memory-wire.js'
import { rejects } from '../../helpers/expected-errors.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { withoutMemory } from '../../helpers/scarce-memory.js'
import { scriptedModule } from '../../helpers/scripted-module.js'
import { signal, turns, until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const SETUP_MS = 100
const TEARDOWN_MS = 50
const WATCHDOG_MS = 10_000
const destroy = { how: 'destroy', error: serializeError(new TransportError('ERR_ENGINE_CLOSED', 'over')) } as const

failOnWarnings()

type Functions = Parameters<typeof scriptedModule>[0]

interface Rig {
  readonly listener: ServedListener
  readonly clock: FakeClock
  readonly counts: HandlerCounts
  readonly counters: Float64Array
  readonly reports: HandlerReport[]
  /** Main's end of the port of calls to the module has closed. */
  readonly apiClosed: Promise<unknown>
  /** A peer whose connection it may take or cut. */
  peer: () => { readonly accepted: AcceptedPeer; readonly wasCut: () => boolean; readonly cut: () => void }
}

async function withRig(
  t: ExecutionContext,
  functions: Functions,
  body: (rig: Rig) => Promise<void>,
  maxConnections = 10,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const module = scriptedModule({ default: () => undefined, ...functions })
  const host = new MessageChannel()
  const api = new MessageChannel()
  const apiClosed = once(api.port1, 'close')
  const clock = new FakeClock()
  const counters = createCounters()
  const counts = HandlerCounts.forShards(1)
  const told: HandlerReport[] = []
  const meter = new HandlerMeter(counters, clock)
  const load = new OwnLoad(ShardLoads.create(1), 0)
  const memory = new ServedMemory(meter, load, () => undefined)
  const lanes = new ServedLanes(0, new Meter(counters, clock), meter, load, clock, memory.duplicate)
  const reports = new HandlerReports((report) => {
    told.push(report)
    return Promise.resolve()
  })
  const request = {
    servedId: 1,
    target: { kind: 'memory', name: 'x' },
    backlog: 1,
    maxConnections,
    counts: counts.words,
    handling: {
      moduleUrl: module.url,
      data: { word: 'data' },
      setupTimeoutMs: SETUP_MS,
      teardownTimeoutMs: TEARDOWN_MS,
      kind: 'memory',
      endpoint: 'memory:x',
      connection: {
        framing: { kind: 'length', maxFrameBytes: 1_000_000 },
        maxFrameBytes: 1_000_000,
        maxPendingBytes: 1_000_000,
        maxRingBytes: 65_536,
        initialRingBytes: 8_192,
        frameTimeoutMs: undefined,
        closeTimeoutMs: 1_000,
        allowHalfOpen: false,
      },
      ports: { host: host.port2, api: api.port2 },
    },
  } as unknown as ConstructorParameters<typeof ServedListener>[0]
  const environment = { shard: 0, generation: 1, lanes, memory, modules: new HandlerModules(), clock }
  try {
    await body({
      listener: new ServedListener(request, environment, reports),
      clock,
      counts,
      counters,
      reports: told,
      apiClosed,
      peer: () => {
        let isCut = false
        const [near, far] = MemoryWire.pair()
        const accepted = {
          adopt: far.own.bind(far),
          reject: () => {
            isCut = true
          },
        }
        return { accepted, wasCut: () => isCut, cut: () => near.destroy() }
      },
    })
  } finally {
    module.remove()
    for (const port of [host.port1, host.port2, api.port1, api.port2]) port.close()
  }
}

const nowhere = { pause: () => undefined, resume: () => Promise.resolve(), close: () => Promise.resolve() }

test.serial('set-up comes before the first connection, and teardown after the last', async (t) => {
  const steps: string[] = []
  const functions: Functions = {
    setup: async ({ data }: HandlerContext) => {
      steps.push('setup')
      await turns()
      return data
    },
    api: ({ state }: HandlerContext) => {
      steps.push(`api ${JSON.stringify(state)}`)
    },
    default: (connection: Connection, { state }: HandlerContext) => {
      steps.push(`served ${JSON.stringify(state)}`)
      void connection.closed.then(() => steps.push('closed'))
    },
    teardown: async () => {
      await turns()
      steps.push('teardown')
    },
  }
  await withRig(t, functions, async ({ listener, peer, counts, counters, reports }) => {
    await listener.setUp()
    listener.onListening(nowhere)
    const { accepted, cut } = peer()
    listener.onAccepted(accepted)
    await listener.close()
    const ending = listener.end({ how: 'drain' })
    await turns(5)
    t.false(steps.includes('teardown'), 'a connection is open')
    cut()
    await ending
    const state = '{"word":"data"}'
    t.deepEqual(steps, ['setup', `api ${state}`, `served ${state}`, 'closed', 'teardown'])
    t.deepEqual(counts.sum, { accepted: 1, open: 0, refused: 0 })
    t.deepEqual(reports.flatMap(({ opened, closed }) => [...opened, ...closed.map(({ id }) => id)]).length, 2)
    await until(() => readHandlerCounters(counters).closed === 1)
    await listener.end(destroy)
    t.is(steps.filter((step) => step === 'teardown').length, 1, 'it is torn down once')
  })
})

test.serial('a set-up that takes too long is given up, and what it opens later is torn down', async (t) => {
  const started = signal()
  const go = signal()
  let isTornDown = false
  const functions: Functions = {
    setup: () => {
      started.resolve()
      return go.promise
    },
    teardown: () => (isTornDown = true),
  }
  await withRig(t, functions, async ({ listener, clock }) => {
    const failing = rejects(t, listener.setUp(), 'ERR_HANDLER_LOAD')
    await started.promise
    t.deepEqual(clock.asked, [SETUP_MS])
    clock.advance(SETUP_MS)
    const { message, cause } = await failing
    t.regex(message, /was not set up in time.*setupTimeoutMs/)
    t.is((cause as TransportError).code, 'ERR_TIMEOUT')
    await listener.close()
    await listener.end(destroy)
    t.false(isTornDown, 'nothing was set up yet')
    go.resolve()
    await until(() => isTornDown)
  })
})

test.serial('a set-up whose module is still loading when it is given up is not begun', async (t) => {
  let isSetUp = false
  await withRig(t, { setup: () => (isSetUp = true) }, async ({ listener }) => {
    const failing = rejects(t, listener.setUp(), 'ERR_CLOSED')
    await listener.close()
    await failing
    await turns(20)
    t.false(isSetUp)
  })
})

test.serial(
  'a listener that is closed during its set-up aborts the signal, and tears down what was set up',
  async (t) => {
    const started = signal<HandlerContext>()
    const go = signal()
    const tornDown = signal<unknown>()
    const functions: Functions = {
      setup: async (context: HandlerContext) => {
        started.resolve(context)
        await go.promise
        return 'state'
      },
      teardown: ({ state }: HandlerContext) => tornDown.resolve(state),
    }
    await withRig(t, functions, async ({ listener, clock }) => {
      const failing = rejects(t, listener.setUp(), 'ERR_CLOSED')
      const context = await started.promise
      t.false(context.signal.aborted)
      await listener.close()
      t.true(context.signal.aborted)
      await failing
      go.resolve()
      t.is(await tornDown.promise, 'state')
      t.is(clock.armed, 1, 'only its teardown is bounded now')
    })
  },
)

for (const name of ['setup', 'api'] as const) {
  test.serial(`a ${name}() that fails is told with the file, the export and the cause`, async (t) => {
    const cause = new RangeError('no port is free')
    const functions: Functions = { [name]: () => Promise.reject(cause) }
    await withRig(t, functions, async ({ listener, clock }) => {
      const error = await rejects(t, listener.setUp(), 'ERR_HANDLER_LOAD')
      t.true(error.message.includes('data:text/javascript') && error.message.includes(`${name}()`), error.message)
      t.is(error.cause, cause)
      t.is(clock.armed, 0)
      await listener.end(destroy)
    })
  })
}

test.serial('an api() that returns no object is refused', async (t) => {
  await withRig(t, { api: () => 7 }, async ({ listener }) => {
    const error = await rejects(t, listener.setUp(), 'ERR_HANDLER_LOAD')
    t.regex(error.message, /api\(\).*no object of functions/)
  })
})

test.serial('a teardown that takes too long is reported, and holds nothing up', async (t) => {
  await withRig(t, { teardown: () => new Promise(() => undefined) }, async ({ listener, clock, reports }) => {
    await listener.setUp()
    listener.onListening(nowhere)
    await listener.close()
    const ending = listener.end({ how: 'drain' })
    await until(() => clock.asked.includes(TEARDOWN_MS))
    clock.advance(TEARDOWN_MS)
    await ending
    const [failure] = reports.flatMap(({ failures }) => failures)
    t.is(failure?.where, 'teardown')
    t.regex(failure?.thrown.message ?? '', /teardownTimeoutMs/)
  })
})

test.serial('a teardown that fails is reported', async (t) => {
  const functions: Functions = { teardown: () => Promise.reject(new Error('stuck file')) }
  await withRig(t, functions, async ({ listener, reports }) => {
    await listener.setUp()
    await listener.close()
    await listener.end({ how: 'drain' })
    const failures = reports.flatMap(({ failures: some }) => some)
    t.deepEqual(
      failures.map(({ where, thrown }) => [where, thrown.message]),
      [['teardown', 'stuck file']],
    )
  })
})

test.serial('what is accepted after the close is cut, and counts as refused', async (t) => {
  await withRig(t, {}, async ({ listener, peer, reports }) => {
    await listener.setUp()
    await listener.close()
    const { accepted, wasCut } = peer()
    listener.onAccepted(accepted)
    t.true(wasCut())
    await turns(2)
    t.is(
      reports.reduce((sum, { refused }) => sum + refused, 0),
      1,
    )
    await listener.end({ how: 'drain' })
  })
})

test.serial('what begins to listen after the close is closed at once', async (t) => {
  await withRig(t, {}, async ({ listener }) => {
    await listener.setUp()
    await listener.close()
    const isClosed = signal()
    listener.onListening({
      ...nowhere,
      close: () => {
        isClosed.resolve()
        return Promise.resolve()
      },
    })
    await isClosed.promise
    await listener.end({ how: 'drain' })
    t.pass()
  })
})

test.serial('what goes past maxConnections is cut', async (t) => {
  const connections: Connection[] = []
  const functions: Functions = { default: (connection: Connection) => void connections.push(connection) }
  const body = async ({ listener, peer, counts }: Rig): Promise<void> => {
    await listener.setUp()
    listener.onListening(nowhere)
    const peers = [peer(), peer(), peer()]
    for (const { accepted } of peers) listener.onAccepted(accepted)
    t.deepEqual(
      peers.map(({ wasCut }) => wasCut()),
      [false, false, true],
    )
    t.deepEqual(counts.sum, { accepted: 2, open: 2, refused: 1 })
    connections[0]?.destroy()
    await until(() => counts.sum.open === 1)
    const next = peer()
    listener.onAccepted(next.accepted)
    t.false(next.wasCut())
    await listener.close()
    await listener.end(destroy)
    t.is((await connections[1]?.closed)?.code, 'ERR_ENGINE_CLOSED')
    t.is(counts.sum.open, 0)
  }
  await withRig(t, functions, body, 2)
})

test.serial('a connection that no memory is left for is cut, and the next one is served', async (t) => {
  await withRig(t, {}, async ({ listener, peer, counts, counters }) => {
    await listener.setUp()
    listener.onListening(nowhere)
    const poor = peer()
    withoutMemory(1, () => listener.onAccepted(poor.accepted))
    t.true(poor.wasCut())
    t.deepEqual(counts.sum, { accepted: 0, open: 0, refused: 1 })
    const rich = peer()
    listener.onAccepted(rich.accepted)
    t.false(rich.wasCut())
    t.is(counts.sum.open, 1)
    await listener.close()
    await listener.end(destroy)
    await until(() => readHandlerCounters(counters).closed === 1)
    const { opened, regionsTaken, regionsGiven } = readHandlerCounters(counters)
    t.deepEqual([opened, regionsTaken - regionsGiven], [1, 0])
  })
})

test.serial('a handler that never settles holds a drain up, until the listener is cut', async (t) => {
  const functions: Functions = { default: () => new Promise(() => undefined) }
  await withRig(t, functions, async ({ listener, peer }) => {
    await listener.setUp()
    listener.onListening(nowhere)
    listener.onAccepted(peer().accepted)
    await listener.close()
    let isDrained = false
    const draining = listener.end({ how: 'drain' }).then(() => (isDrained = true))
    const closing = listener.end({ how: 'close', when: 'settled' })
    await turns(5)
    t.false(isDrained)
    await Promise.all([listener.end(destroy), draining, closing])
  })
})

test.serial('a call of the host rejects with ERR_CLOSED once the module was torn down', async (t) => {
  const contexts: HandlerContext[] = []
  await withRig(t, { setup: (context: HandlerContext) => void contexts.push(context) }, async ({ listener }) => {
    await listener.setUp()
    const [context] = contexts
    if (context === undefined) throw new Error('it was not set up')
    const pending = rejects(t, context.host['anything']?.() ?? Promise.resolve(), 'ERR_CLOSED')
    await listener.close()
    await listener.end({ how: 'drain' })
    await pending
    await rejects(t, context.host['anything']?.() ?? Promise.resolve(), 'ERR_CLOSED')
  })
})

test('a set-up that fails closes the port of calls to the module, since nothing reads from it', async (t) => {
  const functions = {
    setup: () => {
      throw new Error('no disk')
    },
  }
  await withRig(t, functions, async ({ listener, apiClosed }) => {
    await rejects(t, listener.setUp(), 'ERR_HANDLER_LOAD')
    await apiClosed
    t.pass()
  })
})
