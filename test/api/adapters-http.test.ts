/** HTTP over endpoints: our server and clients, with each other and with plain `node:http`, with undici and fastify. */
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import test, { type ExecutionContext } from 'ava'
import fastify from 'fastify'
import { Agent as UndiciAgent, Client, Pool, fetch } from 'undici'
import { createHttpAgent, serveHttp, toUndiciConnect, type HttpService } from '../../api/adapters/index.js'
import { HttpSocket } from '../../api/adapters/http-socket.js'
import { createEngine, TransportError, type Engine, type Transport } from '../../api/index.js'
import { frameOf } from '../helpers/frames.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { makeTemporaryFolder, pathOf, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { signal, turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 60_000
const MEGABYTE = 2 ** 20

failOnWarnings()

let engine: Engine
let folder: TemporaryFolder

test.serial.before('an engine starts', async () => {
  folder = await makeTemporaryFolder()
  engine = await createEngine({ shards: 1 })
})

test.serial.after.always('everything was released', async (t) => {
  const { leaked, byKind } = await engine.close()
  await folder.remove()
  t.is(leaked, 0, JSON.stringify(byKind))
})

/** Over sockets, and over what `shm:` endpoints have here. */
const endpoints = {
  sockets: () => engine.transport(folder.endpoint(), { framing: 'raw' }),
  'shared memory': () => engine.transport(`shm:${randomName()}`),
} as const

const kinds = (process.platform === 'win32' ? ['sockets'] : Object.keys(endpoints)) as (keyof typeof endpoints)[]

interface Served {
  readonly transport: Transport
  readonly service: HttpService
}

function served(
  title: string,
  handler: () => RequestListener | Server,
  body: (t: ExecutionContext, served: Served) => Promise<void>,
  on: readonly (keyof typeof endpoints)[] = ['sockets'],
): void {
  for (const kind of on) {
    test.serial(`over ${kind}: ${title}`, async (t) => {
      t.timeout(WATCHDOG_MS)
      const transport = endpoints[kind]()
      const service = await serveHttp(transport, handler())
      try {
        await body(t, { transport, service })
      } finally {
        await service.close({ graceMs: 0 })
      }
    })
  }
}

const echo: RequestListener = (request, response) => {
  response.setHeader('x-method', String(request.method))
  pipeline(request, response).catch(() => undefined)
}

const hello: RequestListener = (_request, response) => void response.end('hello')

interface Answer {
  readonly status: number | undefined
  readonly body: Buffer
  readonly socket: Duplex
  readonly reused: boolean
}

async function ask(options: http.RequestOptions, body?: Buffer): Promise<Answer> {
  const request = http.request({ host: 'any', ...options })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { socket } = response
  return { status: response.statusCode, body: await buffer(response), socket, reused: request.reusedSocket }
}

served(
  'undici fetches, and posts a megabyte both ways',
  () => echo,
  async (t, { transport }) => {
    const dispatcher = new UndiciAgent({ connect: toUndiciConnect(transport) })
    try {
      const body = frameOf(MEGABYTE, 1)
      const response = await fetch('http://any/echo', { method: 'POST', body, dispatcher })
      t.is(response.headers.get('x-method'), 'POST')
      t.true(body.equals(Buffer.from(await response.arrayBuffer())))
      const again = await fetch('http://any/again', { dispatcher })
      t.is(await again.text(), '')
      t.is(engine.stats().connections >= 2, true)
    } finally {
      await dispatcher.close()
    }
  },
  kinds,
)

served(
  'requests through the agent use one connection again, and post a megabyte both ways',
  () => echo,
  async (t, { transport }) => {
    const agent = createHttpAgent(transport)
    try {
      const body = frameOf(MEGABYTE, 2)
      const first = await ask({ agent, method: 'POST', path: '/one' }, body)
      t.true(body.equals(first.body))
      const second = await ask({ agent, host: 'another', method: 'POST' }, Buffer.from('two'))
      t.is(second.body.toString(), 'two')
      t.deepEqual([first.reused, second.reused], [false, true])
      t.is(second.socket, first.socket)
    } finally {
      agent.destroy()
    }
  },
  kinds,
)

served(
  'a response of which the connection ends comes whole',
  () => (_request, response) => {
    response.setHeader('connection', 'close')
    response.end(frameOf(3 * MEGABYTE, 3))
  },
  async (t, { transport }) => {
    const agent = createHttpAgent(transport, { keepAlive: false })
    const { body, socket } = await ask({ agent })
    t.true(frameOf(3 * MEGABYTE, 3).equals(body))
    if (!socket.closed) await once(socket, 'close')
    t.deepEqual([agent.sockets, agent.freeSockets], [{}, {}])
  },
  kinds,
)

served(
  'a hundred requests at a time get their own answers',
  () => (request, response) => void response.end(request.url),
  async (t, { transport, service }) => {
    const agent = createHttpAgent(transport, { maxSockets: 10 })
    const dispatcher = new Pool('http://any', { connect: toUndiciConnect(transport), connections: 10 })
    try {
      let connections = 0
      service.server.on('connection', () => connections++)
      const paths = Array.from({ length: 100 }, (_, i) => `/${String(i)}`)
      const byAgent = await Promise.all(paths.map((path) => ask({ agent, path })))
      t.deepEqual(
        byAgent.map(({ body }) => body.toString()),
        paths,
      )
      t.is(connections, 10)
      const byPool = await Promise.all(
        paths.map(async (path) => text((await dispatcher.request({ path, method: 'GET' })).body)),
      )
      t.deepEqual(byPool, paths)
      t.is(service.endpoint, transport.endpoint)
    } finally {
      agent.destroy()
      await dispatcher.close()
    }
  },
  kinds,
)

served(
  'a plain client of node:http is served',
  () => echo,
  async (t, { transport }) => {
    const body = frameOf(MEGABYTE, 4)
    const answer = await ask({ socketPath: pathOf(transport.endpoint), method: 'PUT' }, body)
    t.true(body.equals(answer.body))
  },
)

test.serial('a plain server of node:http is asked through the agent and through undici', async (t) => {
  t.timeout(WATCHDOG_MS)
  const endpoint = folder.endpoint()
  const server = http.createServer(echo).listen(pathOf(endpoint))
  await once(server, 'listening')
  const transport = engine.transport(endpoint, { framing: 'raw' })
  const agent = createHttpAgent(transport)
  const dispatcher = new Client('http://any', { connect: toUndiciConnect(transport) })
  try {
    const body = frameOf(MEGABYTE, 5)
    t.true(body.equals((await ask({ agent, method: 'POST' }, body)).body))
    const response = await dispatcher.request({ path: '/', method: 'POST', body })
    t.true(body.equals(Buffer.from(await response.body.arrayBuffer())))
  } finally {
    agent.destroy()
    await dispatcher.close()
    server.close()
    await once(server, 'close')
  }
})

served(
  'a body that nobody reads holds its sender up, and memory stays bounded',
  () => {
    const server = http.createServer()
    return server
  },
  async (t, { transport, service }) => {
    const agent = createHttpAgent(transport)
    try {
      const arrived = once(service.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
      const request = http.request({ host: 'any', agent, method: 'POST' })
      const piece = Buffer.alloc(65_536)
      request.write(piece)
      const [incoming, response] = await arrived
      let written = 0
      while (!request.writableNeedDrain) {
        while (request.write(piece)) written++
        // What fits somewhere on the way goes on in these.
        await turns(20)
        if (written > 2_000) throw new Error('it takes everything')
      }
      incoming.resume()
      await once(request, 'drain')
      request.end()
      await once(incoming, 'end')
      response.end('got it')
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      t.is(await text(answer), 'got it')
    } finally {
      agent.destroy()
    }
  },
)

served(
  'the server notices a client that aborts',
  () => http.createServer(),
  async (t, { transport, service }) => {
    const dispatcher = new UndiciAgent({ connect: toUndiciConnect(transport) })
    const agent = createHttpAgent(transport)
    try {
      for (const start of [
        (abort: AbortSignal) => fetch('http://any/', { signal: abort, dispatcher }),
        (abort: AbortSignal) => once(http.get({ host: 'any', agent, signal: abort }), 'response'),
      ]) {
        const abort = new AbortController()
        const arrived = once(service.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
        const asked: Promise<unknown> = start(abort.signal)
        const [incoming] = await arrived
        const gone = once(incoming.socket, 'close')
        abort.abort()
        t.is(((await t.throwsAsync(asked, { any: true })) as Error).name, 'AbortError')
        await gone
      }
      await until(() => Object.keys(agent.sockets).length === 0)
    } finally {
      agent.destroy()
      await dispatcher.destroy()
    }
  },
  kinds,
)

served(
  'a server that dies in the middle of a response fails the request',
  () => (_request, response) => {
    response.write('half')
    setImmediate(() => response.socket?.destroy(new TransportError('ERR_RESET', 'broken')))
  },
  async (t, { transport }) => {
    const dispatcher = new Client('http://any', { connect: toUndiciConnect(transport) })
    const agent = createHttpAgent(transport)
    try {
      const asked = ask({ agent })
      t.is((await t.throwsAsync<NodeJS.ErrnoException>(asked)).code, 'ECONNRESET')
      const response = await dispatcher.request({ path: '/', method: 'GET' })
      await t.throwsAsync(response.body.text())
    } finally {
      agent.destroy()
      await dispatcher.destroy()
    }
  },
)

test.serial('requests to an endpoint where nobody listens fail with the error of the connect', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(folder.endpoint(), { framing: 'raw' })
  const agent = createHttpAgent(transport)
  const dispatcher = new Client('http://any', { connect: toUndiciConnect(transport) })
  try {
    t.is((await t.throwsAsync<TransportError>(ask({ agent }))).code, 'ERR_NOT_FOUND')
    const narrow = createHttpAgent(transport, { maxSockets: 1 })
    const settled = await Promise.allSettled([1, 2, 3].map(() => ask({ agent: narrow })))
    t.deepEqual(
      settled.map((one) => one.status === 'rejected' && (one.reason as TransportError).code),
      ['ERR_NOT_FOUND', 'ERR_NOT_FOUND', 'ERR_NOT_FOUND'],
    )
    const asked = dispatcher.request({ path: '/', method: 'GET' })
    t.is((await t.throwsAsync<TransportError>(asked)).code, 'ERR_NOT_FOUND')
  } finally {
    agent.destroy()
    await dispatcher.destroy()
  }
})

test.serial('an https: origin is refused', async (t) => {
  const transport = engine.transport(folder.endpoint(), { framing: 'raw' })
  const dispatcher = new Client('https://any', { connect: toUndiciConnect(transport) })
  const asked = dispatcher.request({ path: '/', method: 'GET' })
  t.is((await t.throwsAsync<TransportError>(asked)).code, 'ERR_INVALID_OPTION')
  await dispatcher.destroy()
  const agent = createHttpAgent(transport)
  t.throws(() => http.request({ host: 'any', protocol: 'https:', agent }), { code: 'ERR_INVALID_PROTOCOL' })
})

test.serial('destroying an agent ends its dials', async (t) => {
  t.timeout(WATCHDOG_MS)
  const dialling = signal<AbortSignal | undefined>()
  const agent = createHttpAgent({
    endpoint: 'unix:/nowhere',
    connect: (options) => {
      dialling.resolve(options?.signal)
      return new Promise((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new TransportError('ERR_ABORTED', 'given up')))
      })
    },
  })
  const asked = ask({ agent })
  t.false((await dialling.promise)?.aborted)
  agent.destroy()
  t.is((await t.throwsAsync<TransportError>(asked)).code, 'ERR_ABORTED')
})

served(
  'a connection can be upgraded, and is cut when the service has closed',
  () => {
    const server = http.createServer()
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: ${String(request.headers.upgrade)}\r\n`)
      socket.write('connection: upgrade\r\n\r\n')
      socket.write(head)
      socket.pipe(socket)
    })
    return server
  },
  async (t, { transport, service }) => {
    const agent = createHttpAgent(transport)
    const request = http.get({ host: 'any', agent, headers: { connection: 'upgrade', upgrade: 'echo' } })
    const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Duplex]
    socket.write('one')
    t.is(String((await once(socket, 'data'))[0]), 'one')
    const closing = service.close({ graceMs: 0 })
    await Promise.all([once(socket, 'close'), closing])
    t.pass()
  },
  kinds,
)

served(
  'what is no HTTP is answered with 400 before the connection is cut',
  () => hello,
  async (t, { transport }) => {
    const socket = net.connect(pathOf(transport.endpoint))
    socket.write('this is no HTTP\r\n\r\n')
    t.regex(await text(socket), /^HTTP\/1\.1 400 /)
  },
)

test.serial('closing lets a request at work finish, and ends idle connections', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = endpoints.sockets()
  const service = await serveHttp(transport, http.createServer())
  const agent = createHttpAgent(transport)
  const arrived = once(service.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const idle = http.get({ host: 'any', agent })
  const [, first] = await arrived
  first.end()
  const [answer] = (await once(idle, 'response')) as [IncomingMessage]
  const { socket } = answer
  const again = once(service.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const busy = http.get({ host: 'any', agent: createHttpAgent(transport, { keepAlive: true }) })
  const [, second] = await again
  await text(answer)
  const ended = once(socket, 'close')
  const serverClosed = once(service.server, 'close')
  const closing = service.close({ graceMs: 60_000 })
  await ended
  second.end('still answered')
  const [late] = (await once(busy, 'response')) as [IncomingMessage]
  t.is(late.headers.connection, 'close')
  t.is(await text(late), 'still answered')
  await Promise.all([closing, serverClosed])
  t.is(service.server.listenerCount('request'), 0)
  t.is((await service.closed).code, 'OK')
  await t.throwsAsync(ask({ agent }), { code: 'ERR_NOT_FOUND' })
})

test.serial('the end of the engine waits for a request at work', async (t) => {
  t.timeout(WATCHDOG_MS)
  const own = await createEngine({ shards: 1 })
  const transport = own.transport(folder.endpoint(), { framing: 'raw' })
  const service = await serveHttp(transport, http.createServer())
  const arrived = once(service.server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  const asked = ask({ agent: createHttpAgent(engine.transport(transport.endpoint, { framing: 'raw' })) })
  const [, response] = await arrived
  const closing = own.close({ graceMs: 60_000 })
  await service.closed
  response.end('in time')
  t.is((await asked).body.toString(), 'in time')
  t.is((await closing).leaked, 0)
})

const twoAtOnce = 'GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n'

test.serial('the end of the engine does not wait for requests whose client has gone', async (t) => {
  t.timeout(WATCHDOG_MS)
  const own = await createEngine({ shards: 1 })
  const endpoint = folder.endpoint()
  const both = signal()
  await serveHttp(own.transport(endpoint, { framing: 'raw' }), ({ url }) => {
    if (url === '/2') both.resolve()
  })
  const client = net.connect(pathOf(endpoint))
  client.write(twoAtOnce)
  await both.promise
  client.destroy()
  t.is((await own.close({ graceMs: 2 * WATCHDOG_MS })).leaked, 0)
})

test.serial('closing lets all requests at work on one connection finish', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = endpoints.sockets()
  const answers: ServerResponse[] = []
  const both = signal()
  const service = await serveHttp(transport, (_request, response) => {
    if (answers.push(response) === 2) both.resolve()
  })
  const client = net.connect(pathOf(transport.endpoint))
  client.write(twoAtOnce)
  await both.promise
  const closing = service.close({ graceMs: 2 * WATCHDOG_MS })
  await until(() => answers[1]?.getHeader('connection') === 'close')
  for (const answer of answers) answer.end('done')
  const said = await text(client)
  t.deepEqual(said.match(/HTTP.*$|^connection: .*$/gim), [
    'HTTP/1.1 200 OK',
    'Connection: keep-alive',
    'HTTP/1.1 200 OK',
    'connection: close',
  ])
  await closing
})

served(
  'the timeout of the agent is that of its requests',
  () => () => undefined,
  async (t, { transport }) => {
    const agent = createHttpAgent(transport, { timeout: 1 })
    const request = http.get({ host: 'any', agent })
    await once(request, 'timeout')
    request.destroy()
    await t.throwsAsync(once(request, 'response'), { code: 'ECONNRESET' })
    agent.destroy()
  },
)

test.serial('a server may have several listeners, of which one ends alone', async (t) => {
  t.timeout(WATCHDOG_MS)
  const server = http.createServer(hello).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const transport = endpoints.sockets()
  const service = await serveHttp(transport, server)
  const agent = createHttpAgent(transport)
  t.is((await ask({ agent })).body.toString(), 'hello')
  agent.destroy()
  await service.close()
  const { port } = server.address() as AddressInfo
  const plain = new http.Agent({ keepAlive: false })
  t.is((await ask({ host: '127.0.0.1', port, agent: plain })).body.toString(), 'hello')
  server.close()
  await once(server, 'close')
})

test.serial('fastify answers over an endpoint, and ends with it', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = endpoints.sockets()
  const app = fastify()
  app.addHook('preClose', () => service.close())
  app.post('/sum', (request) => ({ sum: (request.body as number[]).reduce((a, b) => a + b) }))
  await app.ready()
  const service = await serveHttp(transport, app.server)
  const agent = createHttpAgent(transport)
  const headers = { 'content-type': 'application/json' }
  const answer = await ask({ agent, method: 'POST', path: '/sum', headers }, Buffer.from('[1,2,3]'))
  t.deepEqual(JSON.parse(answer.body.toString()), { sum: 6 })
  await app.close()
  t.is((await service.closed).code, 'OK')
  await until(() => Object.keys(agent.freeSockets).length === 0)
})

test.serial('what serves nothing is refused, and so is a grace that is none', async (t) => {
  const transport = endpoints.sockets()
  const refused = await t.throwsAsync<TransportError>(serveHttp(transport, {} as unknown as Server))
  t.is(refused.code, 'ERR_INVALID_OPTION')
  t.throws(() => createHttpAgent(transport, { maxSockets: 0 }), { code: 'ERR_INVALID_OPTION' })
  const service = await serveHttp(transport, hello)
  const wrong = await t.throwsAsync<TransportError>(service.close({ graceMs: -1 }))
  t.is(wrong.code, 'ERR_INVALID_OPTION')
  const taken = http.createServer(hello)
  await t.throwsAsync(serveHttp(transport, taken), { code: 'ERR_ADDRESS_IN_USE' })
  t.is(taken.listenerCount('request'), 1)
  await service.close()
})

test.serial('a socket tells of silence, and of none while something comes or leaves', async (t) => {
  t.timeout(WATCHDOG_MS)
  const transport = engine.transport(`memory:${randomName()}`, { framing: 'raw' })
  const listener = await transport.listen()
  const [near, far] = await Promise.all([transport.connect(), listener.accept()])
  if (far === undefined) throw new Error('the listener closed')
  const clock = new ManualClock(() => true)
  const socket = new HttpSocket(near, { allowHalfOpen: false }, clock)
  try {
    let silences = 0
    socket.setTimeout(1_000, () => silences++)
    socket.on('timeout', () => silences++)
    clock.advance(900)
    socket.write('leaves')
    clock.advance(900)
    far.send('comes')
    await once(socket, 'data')
    clock.advance(900)
    t.is(silences, 0)
    clock.advance(100)
    t.is(silences, 2)
    clock.advance(1_000)
    t.is(silences, 3)
    socket.setTimeout(0)
    t.deepEqual(clock.armed, [])
    t.deepEqual([socket.bytesRead, socket.bytesWritten, socket.address()], [5, 6, {}])
    t.is(socket.setNoDelay().setKeepAlive().unref().ref(), socket)
    socket.setTimeout(1_000)
  } finally {
    socket.destroy()
    far.destroy()
    await Promise.all([near.closed, far.closed, listener.close()])
  }
  t.deepEqual(clock.armed, [])
})
