/** Many clients of one server: what they send, how they check the answers, and that a run counts all of them. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { transports } from '../../perf/harness/meeting-place.js'
import { canCountResources } from '../../perf/harness/resource-counts.js'
import { NetClient } from '../../perf/programs/client.js'
import { Clients } from '../../perf/programs/clients.js'
import { LengthParser } from '../../perf/programs/length-parser.js'
import { netStack } from '../../perf/programs/net-stack.js'
import { runFanIn } from '../../perf/scenarios/fan-in.js'
import { makeTemporaryFolder, pathOf } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'

const WATCHDOG_MS = 60_000
const CLIENTS = 3
const COUNT = 40
const BYTES = 64

function framed(payload: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(payload.length)
  return Buffer.concat([length, payload])
}

/** Clients of a server that leaves the answers to the test. The first request of each client has its right answer. */
async function withClients(
  t: ExecutionContext,
  answer: (socket: net.Socket, payload: Buffer, index: number) => void,
  use: (clients: Clients) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = pathOf(folder.endpoint())
  let asked = 0
  const server = net.createServer((socket) => {
    let isFirst = true
    const parser = new LengthParser((payload) => {
      if (isFirst) socket.write(framed(payload))
      else answer(socket, payload, asked++)
      isFirst = false
    })
    socket.on('data', (chunk: Buffer) => {
      parser.push(chunk)
    })
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  let clients: Clients | undefined
  try {
    clients = await Clients.connect(() => new NetClient(path), { connections: CLIENTS })
    await use(clients)
  } finally {
    clients?.close()
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
}

test('each request of a round is sent once, whichever client sends it, and is answered', async (t) => {
  const numbers: number[] = []
  const sockets = new Set<net.Socket>()
  await withClients(
    t,
    (socket, payload) => {
      t.is(payload.length, BYTES)
      numbers.push(payload.readUInt32LE())
      sockets.add(socket)
      socket.write(framed(payload))
    },
    async (clients) => {
      for (let round = 0; round < 2; round++) {
        numbers.length = 0
        const { count, wrong } = await clients.request({ kind: 'requests', bytes: BYTES, count: COUNT })
        t.deepEqual([count, wrong], [COUNT, 0])
        t.deepEqual(
          numbers.sort((a, b) => a - b),
          Array.from({ length: COUNT }, (_, number) => number),
        )
      }
      t.is(sockets.size, CLIENTS)
    },
  )
})

test('a client has one request at a time', async (t) => {
  const waiting = new Map<net.Socket, Buffer>()
  let most = 0
  await withClients(
    t,
    (socket, payload) => {
      t.false(waiting.has(socket))
      waiting.set(socket, payload)
      most = Math.max(most, waiting.size)
      // Only once all of them wait.
      if (waiting.size < CLIENTS) return
      const all = [...waiting]
      waiting.clear()
      for (const [each, request] of all) each.write(framed(request))
    },
    async (clients) => {
      await clients.request({ kind: 'requests', bytes: BYTES, count: CLIENTS * 4 })
      t.is(most, CLIENTS)
    },
  )
})

test('an answer that comes in pieces is one answer', async (t) => {
  await withClients(
    t,
    (socket, payload) => {
      const answer = framed(payload)
      socket.write(answer.subarray(0, 4))
      // The client, which is in this process, has read the first piece by then. The second has the number.
      void turns(3).then(() => socket.write(answer.subarray(4)))
    },
    async (clients) => {
      const { count, wrong } = await clients.request({ kind: 'requests', bytes: BYTES, count: COUNT })
      t.deepEqual([count, wrong], [COUNT, 0])
    },
  )
})

const mistakes: Readonly<Record<string, (payload: Buffer) => Buffer>> = {
  'whose last byte differs': (payload) => {
    const copy = framed(payload)
    copy.writeUInt8(0, copy.length - 1)
    return copy
  },
  'to another request': (payload) => {
    const copy = framed(payload)
    copy.writeUInt32LE(copy.readUInt32LE(4) + 1, 4)
    return copy
  },
  'that is too long': (payload) => Buffer.concat([framed(payload), Buffer.of(0)]),
}

for (const [what, mistake] of Object.entries(mistakes)) {
  test(`an answer ${what} counts as wrong`, async (t) => {
    await withClients(
      t,
      (socket, payload, index) => {
        socket.write(index % 4 === 0 ? mistake(payload) : framed(payload))
      },
      async (clients) => {
        const { count, wrong } = await clients.request({ kind: 'requests', bytes: BYTES, count: COUNT })
        t.deepEqual([count, wrong], [COUNT, COUNT / 4])
      },
    )
  })
}

test('requests may be shorter than their number', async (t) => {
  await withClients(
    t,
    (socket, payload) => {
      socket.write(framed(payload))
    },
    async (clients) => {
      const { count, wrong } = await clients.request({ kind: 'requests', bytes: 1, count: 600 })
      t.deepEqual([count, wrong], [600, 0])
    },
  )
})

test('a connection that ends before an answer ends the round', async (t) => {
  await withClients(
    t,
    (socket, payload, index) => {
      if (index === COUNT / 2) socket.destroy()
      else socket.write(framed(payload))
    },
    async (clients) => {
      const round = () => clients.request({ kind: 'requests', bytes: BYTES, count: COUNT })
      await t.throwsAsync(round, { message: /a connection ended before an answer/ })
      await t.throwsAsync(round, { message: /a connection ended before a request/ })
    },
  )
})

test('a byte that nobody asked for ends its connection', async (t) => {
  let server: net.Socket | undefined
  await withClients(
    t,
    (socket, payload) => {
      server = socket
      socket.write(framed(payload))
    },
    async (clients) => {
      const round = () => clients.request({ kind: 'requests', bytes: BYTES, count: CLIENTS })
      await round()
      server?.write('x')
      await until(() => server?.destroyed === true)
      await t.throwsAsync(round, { message: /a connection ended before a request/ })
    },
  )
})

test('the baseline answers each frame of a chunk, and a frame that comes in pieces', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = pathOf(folder.endpoint())
  const stack = netStack({
    role: 'answer',
    stack: 'net',
    path,
    connections: 1,
    corkFrames: 1,
    shards: undefined,
    wake: undefined,
    inlineWrites: undefined,
  })
  const frames = ['one', '', 'x'.repeat(100_000), 'four'].map((text) => framed(Buffer.from(text)))
  const all = Buffer.concat(frames)
  const client = new net.Socket()
  try {
    await stack.answer('echo')
    client.connect(path)
    let got = Buffer.alloc(0)
    client.on('data', (chunk) => {
      got = Buffer.concat([got, chunk])
    })
    client.write(all)
    await until(() => got.length >= all.length)
    for (const byte of all.subarray(0, 20)) {
      await new Promise((resolve) => client.write(Buffer.of(byte), resolve))
    }
    client.write(all.subarray(20))
    await until(() => got.length >= 2 * all.length)
    t.true(got.equals(Buffer.concat([all, all])))
  } finally {
    client.destroy()
    await stack.close()
    await folder.remove()
  }
})

test('a run has all answers of all rounds, whatever carries them, and releases everything', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  try {
    const report = await runFanIn({
      folder: folder.path,
      bytes: BYTES,
      clients: CLIENTS,
      rounds: 2,
      count: COUNT,
      warmUp: 5,
      transports,
      shards: [1, 2],
      wake: undefined,
      inlineWrites: undefined,
      pinTo: undefined,
    })
    t.true(report.released)
    const engines = transports.flatMap((transport) =>
      ['1 shard', '2 shards'].map((some) => `engine server${transport === 'shm' ? ', shm' : ''}, ${some}`),
    )
    t.deepEqual(
      report.rows.map(({ name, count, wrong }) => [name, count, wrong]),
      ['net server', ...engines].map((name) => [name, 2 * COUNT, 0]),
    )
    for (const { cpuMicros, mainMicros, cpuRatio, mainRatio } of report.rows) {
      for (const figure of [cpuMicros, mainMicros, cpuRatio, mainRatio]) t.is(figure !== undefined, canCountResources)
    }
    for (const { at, isBaseline, contender } of report.figures) {
      t.deepEqual(at, { bytes: BYTES, connections: CLIENTS })
      t.is(isBaseline, contender === 'net server')
    }
  } finally {
    await folder.remove()
  }
})
