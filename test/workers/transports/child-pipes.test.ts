/**
 * The pipes for a child's stdin and stdout: a process without the token gets nothing. Other systems use sockets here.
 */
import net from 'node:net'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { TOKEN_BYTES } from '../../../engine/protocol/target.js'
import type { MainSide } from '../../../workers/shard-transport.js'
import { childPipesTransport } from '../../../workers/transports/child-pipes.js'
import { Taker } from '../../helpers/taker.js'
import { makeTemporaryFolder, randomName } from '../../helpers/temporary-folder.js'
import { until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const TOKEN = Buffer.alloc(TOKEN_BYTES, 'right')
const WRONG = Buffer.alloc(TOKEN_BYTES, 'wrong')

failOnWarnings()

/** This transport does not use it. */
const noMain: MainSide = { releaseStdio: () => Promise.reject(new Error('there is no main thread')) }

/** A process at a pipe's other end. */
class Guest {
  readonly socket: net.Socket
  text = ''
  over = false

  constructor(path: string) {
    this.socket = net.connect({ path, allowHalfOpen: true })
    this.socket.on('error', () => undefined)
    this.socket.on('data', (bytes) => {
      this.text += String(bytes)
    })
    for (const event of ['end', 'close'])
      this.socket.on(event, () => {
        this.over = true
      })
  }

  show(token: Uint8Array): this {
    this.socket.write(token)
    return this
  }
}

interface Stage {
  readonly target: Parameters<typeof childPipesTransport.dial>[0]
  readonly owner: Taker
  readonly guest: (path: string) => Guest
}

function stage(title: string, body: (t: ExecutionContext, stage: Stage) => Promise<void>): void {
  test.serial(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const path = (): string => (process.platform === 'win32' ? `\\\\.\\pipe\\${randomName()}` : folder.socketPath())
    const guests: Guest[] = []
    try {
      await body(t, {
        target: { kind: 'child-pipes', stdin: path(), stdout: path(), token: TOKEN },
        owner: new Taker(),
        guest: (at) => {
          const guest = new Guest(at)
          guests.push(guest)
          return guest
        },
      })
    } finally {
      for (const guest of guests) guest.socket.destroy()
      await folder.remove()
    }
  })
}

stage('calls made before main has come are made once both pipes are open', async (t, { target, owner, guest }) => {
  const wire = await childPipesTransport.dial(target, owner, noMain).connected
  wire.resume()
  wire.write(Buffer.from('for the child'), undefined)
  const stdin = guest(target.stdin).show(TOKEN)
  const stdout = guest(target.stdout).show(TOKEN)
  stdout.socket.write('from the child')
  await until(() => stdin.text === 'for the child' && owner.text === 'from the child')
  t.deepEqual(owner.calls, ['written'])
  stdout.socket.end()
  await until(() => owner.calls.includes('end'))
  wire.end()
  await until(() => stdin.over && owner.calls.includes('close'))
  t.deepEqual([...owner.calls].sort(), ['close', 'end', 'finished', 'written'])
})

stage('a token may come in pieces, or together with the bytes that follow it', async (t, { target, owner, guest }) => {
  const wire = await childPipesTransport.dial(target, owner, noMain).connected
  wire.resume()
  const stdin = guest(target.stdin)
  for (const byte of TOKEN) stdin.socket.write(Uint8Array.of(byte))
  guest(target.stdout).show(Buffer.concat([TOKEN, Buffer.from('at once')]))
  await until(() => owner.text === 'at once')
  t.deepEqual(owner.calls, [])
  wire.destroy()
  await until(() => owner.calls.includes('close'))
})

stage(
  'other processes that open the pipes get nothing, and are cut once main is there',
  async (t, { target, owner, guest }) => {
    const wire = await childPipesTransport.dial(target, owner, noMain).connected
    wire.resume()
    wire.write(Buffer.from('secret'), undefined)
    const others = [
      guest(target.stdin).show(WRONG).show(TOKEN),
      guest(target.stdin),
      guest(target.stdout).show(WRONG).show(Buffer.from('forged')),
    ]
    await Promise.all(others.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))))
    const stdin = guest(target.stdin).show(TOKEN)
    guest(target.stdout).show(TOKEN).socket.write('genuine')
    await until(() => stdin.text === 'secret' && owner.text === 'genuine')
    await until(() => others.every(({ over }) => over))
    t.deepEqual(
      others.map(({ text }) => text),
      ['', '', ''],
    )
    wire.destroy()
    await until(() => owner.calls.includes('close'))
  },
)

stage(
  'a wire that is destroyed before main has come closes, and takes the pipes away',
  async (t, { target, owner, guest }) => {
    const wire = await childPipesTransport.dial(target, owner, noMain).connected
    const waiting = guest(target.stdin)
    await new Promise((resolve) => waiting.socket.once('connect', resolve))
    wire.destroy()
    t.deepEqual(owner.calls, [])
    await until(() => owner.calls.includes('close') && waiting.over)
    const late = guest(target.stdout)
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => late.socket.once('error', resolve))
    t.is(error.code, 'ENOENT')
    t.deepEqual(owner.calls, ['close'])
  },
)

stage(
  'an aborted dial leaves nothing, and a dial whose pipes cannot be made rejects',
  async (t, { target, owner, guest }) => {
    const dialling = childPipesTransport.dial(target, owner, noMain)
    dialling.abort()
    await dialling.connected.then(
      (wire) => {
        wire.destroy()
      },
      () => undefined,
    )
    const late = guest(target.stdin)
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => late.socket.once('error', resolve))
    t.is(error.code, 'ENOENT')
    const bad = childPipesTransport.dial({ ...target, stdin: '/no/such/folder/x' }, owner, noMain)
    await t.throwsAsync(bad.connected)
  },
)
