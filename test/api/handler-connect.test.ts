/** Connections that are dialled in a shard, and served there by a module of the host. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test, { type ExecutionContext } from 'ava'
import { startEngine } from '../../api/engine.js'
import {
  createEngine,
  type Connection,
  type ConnectionEvent,
  type Engine,
  type EngineOptions,
  type HandlerLogEntry,
} from '../../api/index.js'
import { systemClock, type Clock } from '../../engine/protocol/clock.js'
import { rejects } from '../helpers/expected-errors.js'
import { FailureBook } from '../helpers/failure-book.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { moduleUrl } from '../helpers/module-url.js'
import { randomName } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
/** Longer than the watchdog lets a test run: a test that passes has not waited for this. */
const GRACE_MS = 60_000

failOnWarnings()

interface Sums {
  sum(): number
}

/** Tells main of each step, adds up the numbers that come, and answers 'stop' by closing. */
const summing = moduleUrl(`
  let sum = 0
  export const setup = (context) => context.host.step('setup ' + context.data)
  export const api = () => ({ sum: () => sum })
  export const teardown = async (context) => {
    await context.host.step('teardown')
  }
  export default (connection, context) => {
    context.signal.addEventListener('abort', () => context.log.info('aborted'))
    connection.send('ready')
    connection.subscribe((frame) => {
      const text = String(frame)
      if (text === 'stop') void connection.close()
      else if (text === 'fail') throw new Error('cannot digest')
      else connection.send(String(sum += Number(text)))
    })
  }
`)

async function withEngine(
  t: ExecutionContext,
  body: (engine: Engine) => Promise<void>,
  options: EngineOptions = {},
  clock: Clock = systemClock,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const engine = await startEngine({ shards: 1, ...options }, clock)
  try {
    await body(engine)
  } finally {
    const report = await engine.close({ graceMs: 0 })
    t.is(report.leaked, 0, JSON.stringify(report.byKind))
  }
}

/** What main is told by `summing`. */
class Steps {
  readonly taken: string[] = []
  readonly host = {
    step: (name: string): void => {
      this.taken.push(name)
    },
  }
}

for (const kind of ['memory', 'local'] as const) {
  test.serial(`${kind}: a module serves the connection that its shard has dialled`, async (t) => {
    await withEngine(t, async (engine) => {
      const transport = engine.transport(`${kind}:${randomName()}`)
      const listener = await transport.listen()
      const steps = new Steps()
      const logged: HandlerLogEntry[] = []
      const served = await transport.connect<Sums>({
        handler: summing,
        data: 7,
        host: steps.host,
        onLog: (entry) => logged.push(entry),
      })
      t.deepEqual(steps.taken, ['setup 7'])
      const peer = await listener.accept()
      if (peer === undefined) throw new Error('the listener closed')
      t.is(String(await peer.receive()), 'ready')
      for (const number of ['1', '20', '300']) peer.send(number)
      for (const sum of ['1', '21', '321']) t.is(String(await peer.receive()), sum)
      t.is(await served.api.sum(), 321)
      const { id, ...info } = served.info
      t.regex(id, /^\d+-\d+\.\d+$/)
      t.deepEqual(info, { kind, endpoint: transport.endpoint, shard: 0, generation: 1 })
      const stats = engine.stats()
      t.deepEqual([stats.connections, stats.shards[0]?.handlers.connections], [2, 1])
      t.is(stats.ledger.byKind.handlers.open, 1)
      peer.send('stop')
      t.deepEqual(await served.closed, { code: 'OK' })
      t.deepEqual(await peer.closed, { code: 'OK' })
      await until(() => engine.stats().ledger.byKind.handlers.open === 0)
      t.deepEqual(steps.taken, ['setup 7', 'teardown'])
      t.deepEqual(
        logged.map(({ message }) => message),
        ['aborted'],
      )
      await rejects(t, served.api.sum(), 'ERR_CLOSED')
      t.deepEqual(await served.close(), { code: 'OK' })
    })
  })

  test.serial(`${kind}: where nobody listens, the module is set up and torn down, and nothing is left`, async (t) => {
    await withEngine(t, async (engine) => {
      const steps = new Steps()
      const transport = engine.transport(`${kind}:${randomName()}`)
      await rejects(t, transport.connect({ handler: summing, host: steps.host }), 'ERR_NOT_FOUND')
      t.deepEqual(steps.taken, ['setup undefined', 'teardown'])
      const { byKind } = engine.stats().ledger
      for (const what of ['handlers', 'dials', 'lanes', 'regions', 'connections'] as const)
        t.is(byKind[what].open, 0, what)
    })
  })

  test.serial(`${kind}: close() ends it gracefully, and destroy() at once`, async (t) => {
    await withEngine(t, async (engine) => {
      const transport = engine.transport(`${kind}:${randomName()}`)
      const listener = await transport.listen()
      const accept = async (): Promise<Connection> => {
        const peer = await listener.accept()
        if (peer === undefined) throw new Error('the listener closed')
        return peer
      }
      const first = await transport.connect({ handler: summing, host: new Steps().host, onLog: () => undefined })
      const firstPeer = await accept()
      const closing = first.close({ graceMs: GRACE_MS })
      t.is(String(await firstPeer.receive()), 'ready')
      t.is(await firstPeer.receive(), undefined)
      t.deepEqual(await closing, { code: 'OK' })
      const second = await transport.connect({ handler: summing, host: new Steps().host, onLog: () => undefined })
      const secondPeer = await accept()
      secondPeer.subscribe(() => undefined)
      second.destroy(new Error('no longer wanted'))
      const { code, cause } = await second.closed
      t.is(code, 'ERR_ABORTED')
      t.is(cause?.cause instanceof Error ? cause.cause.message : '', 'no longer wanted')
      await secondPeer.closed
      await rejects(t, second.close({ graceMs: -1 }), 'ERR_INVALID_OPTION')
    })
  })
}

const waiting = moduleUrl(`
  export default (connection, { host, signal }) => {
    connection.subscribe(async (frame) => {
      await host.taken()
      connection.send('re: ' + frame)
    })
  }
`)

test.serial('close({graceMs}) waits for the module while it is at work on what has come', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const listener = await transport.listen()
    const taken = signal()
    const go = signal()
    const host = {
      taken: () => {
        taken.resolve()
        return go.promise
      },
    }
    const served = await transport.connect({ handler: waiting, host })
    const peer = await listener.accept()
    peer?.send('a')
    await taken.promise
    const closing = served.close({ graceMs: GRACE_MS })
    await turns(3)
    go.resolve()
    t.is(String(await peer?.receive()), 're: a')
    t.is(await peer?.receive(), undefined)
    t.deepEqual(await closing, { code: 'OK' })
  })
})

test.serial('a closing engine lets the module finish, and then closes the connection', async (t) => {
  await withEngine(t, async (engine) => {
    const far = await createEngine({ shards: 1 })
    try {
      const endpoint = `local:${randomName()}`
      const listener = await far.transport(endpoint).listen()
      const taken = signal()
      const go = signal()
      const host = {
        taken: () => {
          taken.resolve()
          return go.promise
        },
      }
      const served = await engine.transport(endpoint).connect({ handler: waiting, host })
      const peer = await listener.accept()
      peer?.send('a')
      await taken.promise
      const closing = engine.close({ graceMs: GRACE_MS })
      await turns(3)
      go.resolve()
      t.is(String(await peer?.receive()), 're: a')
      t.is(await peer?.receive(), undefined)
      t.deepEqual(await served.closed, { code: 'OK' })
      t.is((await closing).leaked, 0)
    } finally {
      await far.close({ graceMs: 0 })
    }
  })
})

test.serial('a closing engine destroys what a module does not finish within graceMs', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const listener = await transport.listen()
    const taken = signal()
    const host = {
      taken: () => {
        taken.resolve()
        return new Promise(() => undefined)
      },
    }
    const served = await transport.connect({ handler: waiting, host })
    const peer = await listener.accept()
    peer?.send('a')
    await taken.promise
    t.is((await engine.close({ graceMs: 5 })).leaked, 0)
    // Its peer is destroyed too, and may be the first.
    t.true(['ERR_ENGINE_CLOSED', 'ERR_RESET'].includes((await served.closed).code))
  })
})

test.serial('a module that fails destroys its connection, and onError is told', async (t) => {
  const failures = new FailureBook()
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const listener = await transport.listen()
    const options = { host: new Steps().host, onError: failures.onError, onLog: () => undefined }
    const served = await transport.connect({ handler: summing, ...options })
    const peer = await listener.accept()
    peer?.send('fail')
    t.is((await served.closed).code, 'ERR_HANDLER')
    t.deepEqual(failures.takeTold(), ['subscriber: cannot digest'])
    const thrower = moduleUrl('export default () => { throw new Error("not today") }')
    t.is((await (await transport.connect({ handler: thrower, ...options })).closed).code, 'ERR_HANDLER')
    t.deepEqual(failures.takeTold(), ['module: not today'])
  })
})

test.serial('a module that cannot be set up is ERR_HANDLER_LOAD, and nobody is dialled', async (t) => {
  await withEngine(t, async (engine) => {
    const transport = engine.transport(`memory:${randomName()}`)
    const listener = await transport.listen()
    const sources = [
      'export const nothing = 0',
      'export default () => undefined; export const setup = () => { throw new Error("no") }',
      'export default () => undefined; export const api = () => 7',
    ]
    for (const source of sources)
      await rejects(t, transport.connect({ handler: moduleUrl(source) }), 'ERR_HANDLER_LOAD')
    const slow = moduleUrl('export default () => undefined; export const setup = () => new Promise(() => undefined)')
    await rejects(t, transport.connect({ handler: slow, setupTimeoutMs: 1 }), 'ERR_HANDLER_LOAD')
    t.deepEqual(listener.stats(), { accepted: 0, open: 0, queued: 0, refused: 0 })
  })
})

test.serial('a dial is given up by its signal, its time, and the end of the engine', async (t) => {
  const clock = new ManualClock((ms) => ms === 7_777)
  const body = async (engine: Engine): Promise<void> => {
    const transport = engine.transport(`memory:${randomName()}`)
    await transport.listen()
    const slow = moduleUrl(`
      export const setup = ({ host }) => host.setUp()
      export const teardown = ({ host }) => host.tornDown()
      export default () => undefined
    `)
    const began = [signal(), signal(), signal()]
    const go = signal()
    let rounds = 0
    let tornDown = 0
    const host = {
      setUp: () => {
        began[rounds++]?.resolve()
        return go.promise
      },
      tornDown: () => {
        tornDown++
      },
    }
    const controller = new AbortController()
    const aborted = transport.connect({ handler: slow, host, signal: controller.signal })
    await began[0]?.promise
    t.is(engine.stats().pendingConnects, 1)
    controller.abort()
    await rejects(t, aborted, 'ERR_ABORTED')
    await rejects(t, transport.connect({ handler: slow, host, signal: controller.signal }), 'ERR_ABORTED')
    const late = transport.connect({ handler: slow, host, timeoutMs: 7_777 })
    await began[1]?.promise
    clock.advance(7_777)
    await rejects(t, late, 'ERR_TIMEOUT')
    const pending = transport.connect({ handler: slow, host })
    await began[2]?.promise
    const closing = engine.close({ graceMs: GRACE_MS })
    await rejects(t, pending, 'ERR_ENGINE_CLOSED')
    go.resolve()
    t.is((await closing).leaked, 0)
    t.is(rounds, 3)
    t.true(tornDown <= 3)
  }
  await withEngine(t, body, {}, clock)
})

test.serial('dials of one turn spread over the shards', async (t) => {
  await withEngine(
    t,
    async (engine) => {
      const transport = engine.transport(`local:${randomName()}`)
      await transport.listen(() => undefined)
      const quiet = moduleUrl('export default () => undefined')
      const dialled = await Promise.all(Array.from({ length: 4 }, () => transport.connect({ handler: quiet })))
      t.deepEqual(dialled.map(({ info }) => info.shard).sort(), [0, 0, 1, 1])
      for (const served of dialled) served.destroy()
      await Promise.all(dialled.map(({ closed }) => closed))
    },
    { shards: 2 },
  )
})

test.serial('observers see it as a dialled connection', async (t) => {
  const seen: string[] = []
  const observe = (what: string) => (event: unknown) => {
    const { role, id, endpoint } = event as ConnectionEvent
    if (endpoint === observed) seen.push(`${what} ${role} ${id}`)
  }
  let observed = ''
  const onOpened = observe('opened')
  const onClosed = observe('closed')
  subscribe('symphony-transport:connection.opened', onOpened)
  subscribe('symphony-transport:connection.closed', onClosed)
  try {
    await withEngine(t, async (engine) => {
      const transport = engine.transport(`memory:${randomName()}`)
      observed = transport.endpoint
      const listener = await transport.listen()
      const served = await transport.connect({ handler: moduleUrl('export default () => undefined') })
      const peer = await listener.accept()
      await peer?.close()
      await served.closed
      const { id } = served.info
      await until(() => seen.includes(`closed dialled ${id}`))
      t.true(seen.includes(`opened dialled ${id}`))
    })
  } finally {
    unsubscribe('symphony-transport:connection.opened', onOpened)
    unsubscribe('symphony-transport:connection.closed', onClosed)
  }
})

test.serial('what is attached to this thread no module can serve, and options are checked', async (t) => {
  await withEngine(t, async (engine) => {
    const handler = moduleUrl('export default () => undefined')
    const child = engine.transport({ kind: 'stdio', command: process.execPath })
    const error = await rejects(t, child.connect({ handler }), 'ERR_INVALID_ENDPOINT')
    t.regex(error.message, /child process/)
    const own = engine.transport('stdio:')
    await rejects(t, own.connect({ handler }), 'ERR_INVALID_ENDPOINT')
    const transport = engine.transport(`memory:${randomName()}`)
    for (const wrong of [
      { handler: 7 },
      { handler: undefined, data: 1 },
      { handler: './relative.js' },
      { handler, timeoutMs: -1 },
      { handler, framing: 'line' },
      { handler, data: () => undefined },
    ])
      await rejects(t, transport.connect(wrong as never), 'ERR_INVALID_OPTION')
    t.throws(() => transport.reconnecting({ handler } as never), { code: 'ERR_INVALID_OPTION' })
    t.throws(() => transport.pool({ handler } as never), { code: 'ERR_INVALID_OPTION' })
  })
})
