/** Abstract names as other programs know them: exactly, or padded as Node 20 does it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { rejects } from '../helpers/expected-errors.js'
import { randomName } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const LIMIT = 107
const hasPeer = process.platform === 'linux' && spawnSync('python3', ['--version']).status === 0
const declare = hasPeer ? test.serial : test.serial.skip
const isPadding = process.version.startsWith('v20.')

failOnWarnings()

/**
 * Arguments: `listen` or `connect`, name, length of the address without its first byte. Answers one line with another.
 */
const PEER = `
import socket, sys
verb, name, length = sys.argv[1:]
address = b'\\0' + name.encode().ljust(int(length), b'\\0')
s = socket.socket(socket.AF_UNIX)
if verb == 'listen':
  s.bind(address)
  s.listen()
  print('up', flush=True)
  s, _ = s.accept()
  s.sendall(b'heard ' + s.recv(100))
  s.recv(100)
else:
  try:
    s.connect(address)
  except ConnectionRefusedError:
    print('refused', flush=True)
    sys.exit()
  s.sendall(b'hello\\n')
  print(s.recv(100).decode().strip(), flush=True)
`

type Length = 'exact' | 'padded'

function peer(verb: 'listen' | 'connect', name: string, length: Length): ChildProcess {
  const bytes = length === 'exact' ? Buffer.byteLength(name) : LIMIT
  return spawn('python3', ['-c', PEER, verb, name, String(bytes)], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function lineOf(child: ChildProcess): Promise<string> {
  const [bytes] = (await once(child.stdout ?? child, 'data')) as [Buffer]
  return String(bytes).trim()
}

async function withEngine(t: ExecutionContext, body: (engine: Engine) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1 })
  try {
    await body(engine)
  } finally {
    t.is((await engine.close()).leaked, 0)
  }
}

/** What a program receives that connects to our listener. */
async function heardFrom(engine: Engine, name: string, length: Length): Promise<string> {
  const listener = await engine.transport(`unix:@${name}`, { framing: 'line' }).listen((connection) => {
    connection.subscribe((frame) => connection.send(`heard ${String(frame)}`))
  })
  const child = peer('connect', name, length)
  try {
    return await lineOf(child)
  } finally {
    child.kill('SIGKILL')
    await listener.close()
  }
}

/** Connects to another program's listener, and sends a frame. */
async function hearFrom(engine: Engine, name: string, length: Length): Promise<string> {
  const child = peer('listen', name, length)
  try {
    await lineOf(child)
    const connection = await engine.transport(`unix:@${name}`, { framing: 'line' }).connect()
    connection.send('hello')
    const reply = String(await connection.receive())
    await connection.close()
    return reply
  } finally {
    child.kill('SIGKILL')
  }
}

declare('a name of the greatest length is the same for all', async (t) => {
  await withEngine(t, async (engine) => {
    for (const talk of [heardFrom, hearFrom])
      t.is(await talk(engine, randomName().padEnd(LIMIT, 'a'), 'exact'), 'heard hello')
  })
})

declare('a program that pads its name is reached, as a listener on Node 20 is', async (t) => {
  await withEngine(t, async (engine) => {
    t.is(await hearFrom(engine, randomName(), 'padded'), 'heard hello')
  })
})

declare('a listener has its exact name, except on Node 20', async (t) => {
  await withEngine(t, async (engine) => {
    t.is(await heardFrom(engine, randomName(), 'exact'), isPadding ? 'refused' : 'heard hello')
    t.is(await heardFrom(engine, randomName(), 'padded'), isPadding ? 'heard hello' : 'refused')
  })
})

declare('a program is reached by its exact name, except on Node 20, where the error says why not', async (t) => {
  await withEngine(t, async (engine) => {
    const name = randomName()
    if (!isPadding) {
      t.is(await hearFrom(engine, name, 'exact'), 'heard hello')
      return
    }
    const error = await rejects(t, hearFrom(engine, name, 'exact'), 'ERR_REFUSED')
    t.regex(error.message, /nobody listens there.*Node 22 or later/)
  })
})

declare('a name without a listener is refused, with or without padding', async (t) => {
  await withEngine(t, async (engine) => {
    const endpoint = `unix:@${randomName()}`
    const error = await rejects(t, engine.transport(endpoint).connect(), 'ERR_REFUSED')
    t.is(error.endpoint, endpoint)
    t.regex(error.message, /nobody listens there/)
  })
})
