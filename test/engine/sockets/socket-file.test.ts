/** Socket files: how and by which process a name is taken, and which files are left alone. */
import fs from 'node:fs'
import net from 'node:net'
import { basename, join } from 'node:path'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { createEngine } from '../../../api/index.js'
import { creatorMark } from '../../../engine/sockets/creator.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { rejects } from '../../helpers/expected-errors.js'
import { markOfDead } from '../../helpers/creator-marks.js'
import type { ModeWatch } from '../../helpers/mode-watcher.js'
import { FileListener, isLive, leaveStaleSocket } from '../../helpers/stale-socket.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporary-folder.js'
import { until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'
import { withoutProc } from '../../helpers/without-proc.js'

const WATCHDOG_MS = 20_000
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

let folder: TemporaryFolder

failOnWarnings()

test.serial.beforeEach('a new folder', async () => {
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

/** What `lstat` tells apart, and what is in it. */
function identityOf(path: string): string {
  const { ino, mode, mtimeMs } = fs.lstatSync(path)
  return [ino, mode, mtimeMs].join(' ')
}

const strangers: Readonly<Record<string, (path: string) => void>> = {
  'a file': (path) => {
    fs.writeFileSync(path, 'precious')
    fs.utimesSync(path, 1, 1)
  },
  'a folder': (path) => {
    fs.mkdirSync(path)
    fs.utimesSync(path, 1, 1)
  },
  'a symbolic link to nowhere': (path) => {
    fs.symlinkSync('nowhere', path)
    fs.lutimesSync(path, 1, 1)
  },
  'a symbolic link to a file': (path) => {
    fs.writeFileSync(`${path}.target`, 'precious')
    fs.symlinkSync(`${path}.target`, path)
    fs.lutimesSync(path, 1, 1)
  },
}

for (const [what, make] of Object.entries(strangers)) {
  test.serial(`${what} named like a lock is not a lock: a stale socket is taken over beside it`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    await leaveStaleSocket(path)
    make(`${path}.lock`)
    const names = await folder.list()
    const before = identityOf(`${path}.lock`)
    const listener = await FileListener.prepare(path)
    try {
      await listener.publish()
      t.true(await isLive(path))
      t.is(identityOf(`${path}.lock`), before)
    } finally {
      await listener.close()
    }
    t.deepEqual(
      (await folder.list()).sort(),
      names.filter((name) => name !== basename(path)).sort(),
      'only the socket is gone',
    )
  })
}

/** One of them has won, the others were refused, and the winner can be reached. */
async function race(t: ExecutionContext, path: string, racers: readonly FileListener[]): Promise<void> {
  const outcomes = await Promise.allSettled(racers.map((racer) => racer.publish()))
  const codes = outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? 'won' : (outcome.reason as { code: string }).code,
  )
  t.deepEqual(codes.sort(), [...racers.slice(1).map(() => 'ERR_ADDRESS_IN_USE'), 'won'])
  t.true(await isLive(path))
  t.deepEqual(await folder.list(), [basename(path)])
}

test.serial('of three listeners in one process that take a stale socket at once one wins, every time', async (t) => {
  t.timeout(WATCHDOG_MS)
  for (let round = 0; round < 60; round++) {
    const path = folder.socketPath()
    await leaveStaleSocket(path)
    const racers = await Promise.all([1, 2, 3].map(() => FileListener.prepare(path)))
    try {
      await race(t, path, racers)
    } finally {
      await Promise.all(racers.map((racer) => racer.close()))
    }
    t.deepEqual(await folder.list(), [])
  }
})

test.serial('of two processes that take a stale socket in the same instant one wins, every time', async (t) => {
  t.timeout(WATCHDOG_MS)
  const racers = [1, 2].map(() => ChildProgram.start('stale-racer', [folder.path]))
  try {
    await Promise.all(racers.map((racer) => racer.line('up')))
    for (let round = 0; round < 60; round++) {
      const name = `r${String(round)}`
      const path = join(folder.path, `${name}.sock`)
      await leaveStaleSocket(path)
      for (const racer of racers) racer.tell(name)
      await Promise.all(racers.map((racer) => racer.line('ready')))
      fs.writeFileSync(join(folder.path, `${name}.go`), '')
      const outcomes = await Promise.all(racers.map((racer) => racer.next()))
      t.deepEqual([...outcomes].sort(), ['ERR_ADDRESS_IN_USE', 'won'])
      t.true(await isLive(path))
      fs.unlinkSync(join(folder.path, `${name}.go`))
      t.deepEqual(await folder.list(), [`${name}.sock`])
      for (const racer of racers) racer.tell('close')
      await Promise.all(racers.map((racer) => racer.line('closed')))
      t.deepEqual(await folder.list(), [])
    }
    for (const racer of racers) racer.tell('leave')
    for (const { stderr } of await Promise.all(racers.map((racer) => racer.exit))) t.is(stderr, '')
  } finally {
    for (const racer of racers) racer.kill('SIGKILL')
  }
})

/** The lock of a name, held by the creator with this mark. */
function leaveLock(path: string, mark: string): string {
  const lock = join(folder.path, `.s-lock.${basename(path)}`)
  fs.mkdirSync(lock, { mode: 0o700 })
  fs.mkdirSync(join(lock, mark))
  return lock
}

onUnix('while another process is taking a stale socket over, it is in use and left alone', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  await leaveStaleSocket(path)
  const { ino } = fs.lstatSync(path)
  const lock = leaveLock(path, creatorMark())
  const late = await FileListener.prepare(path)
  await rejects(t, late.publish(), 'ERR_ADDRESS_IN_USE')
  t.is(fs.lstatSync(path).ino, ino)
  await late.close()
  t.deepEqual((await folder.list()).sort(), [basename(lock), basename(path)])
  fs.rmSync(lock, { recursive: true })
  const next = await FileListener.prepare(path)
  await next.publish()
  t.true(await isLive(path), 'once that process has released the lock the socket is free')
  await next.close()
})

onLinux('the lock of a process that is dead is free', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  await leaveStaleSocket(path)
  const mark = await markOfDead()
  const next = await FileListener.prepare(path)
  // After what lay there was cleared away.
  leaveLock(path, mark)
  try {
    await next.publish()
    t.true(await isLive(path))
    t.deepEqual(await folder.list(), [basename(path)])
  } finally {
    await next.close()
  }
})

onLinux('an abstract socket of any name does not prevent taking over a stale socket', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  await leaveStaleSocket(path)
  const { dev, ino, ctimeNs } = fs.lstatSync(path, { bigint: true })
  const held = net.createServer()
  const name = `\0symphony-transport/stale/${String(dev)}-${String(ino)}-${String(ctimeNs)}`
  await new Promise<void>((resolve) => held.listen(name, resolve))
  const next = await FileListener.prepare(path)
  try {
    await next.publish()
    t.true(await isLive(path))
  } finally {
    await next.close()
    await new Promise((resolve) => held.close(resolve))
  }
})

const squatters: Readonly<Record<string, (lock: string) => void>> = {
  'a file': (lock) => {
    fs.writeFileSync(lock, 'precious')
  },
  'a folder of something else': (lock) => {
    fs.mkdirSync(join(lock, 'precious'), { recursive: true })
  },
  ...(process.getuid?.() === 0 && {
    "another user's lock": (lock: string) => {
      fs.mkdirSync(join(lock, creatorMark()), { recursive: true })
      fs.chownSync(lock, 65_534, 65_534)
    },
  }),
}

for (const [what, make] of Object.entries(squatters)) {
  onUnix(`${what} in the place of the lock does not prevent taking over a stale socket, and stays`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    await leaveStaleSocket(path)
    const lock = join(folder.path, `.s-lock.${basename(path)}`)
    make(lock)
    const before = identityOf(lock)
    const next = await FileListener.prepare(path)
    try {
      await next.publish()
      t.true(await isLive(path))
      t.is(identityOf(lock), before)
    } finally {
      await next.close()
    }
    t.deepEqual(await folder.list(), [basename(lock)])
  })
}

const intruders: Readonly<Record<string, (path: string) => Promise<() => Promise<unknown>>>> = {
  'a live socket': async (path) => {
    const server = net.createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(path, resolve))
    return () => new Promise((resolve) => server.close(resolve))
  },
  'a file': (path) => {
    fs.writeFileSync(path, 'precious')
    return Promise.resolve(() => fs.promises.unlink(path))
  },
  'a folder': (path) => {
    fs.mkdirSync(path)
    return Promise.resolve(() => fs.promises.rmdir(path))
  },
}

for (const [what, intrude] of Object.entries(intruders)) {
  test.serial(`${what} that replaces a stale socket at the last moment is put back`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    await leaveStaleSocket(path)
    const late = await FileListener.prepare(path)
    // A stranger's file, ready to replace the socket between the last look and the move.
    const elsewhere = folder.socketPath()
    const leave = await intrude(elsewhere)
    const identity = fs.lstatSync(elsewhere).ino
    const { renameSync } = fs
    fs.renameSync = (from, to) => {
      fs.renameSync = renameSync
      fs.unlinkSync(path)
      renameSync(elsewhere, path)
      renameSync(from, to)
    }
    try {
      await rejects(t, late.publish(), what === 'a live socket' ? 'ERR_ADDRESS_IN_USE' : 'ERR_NOT_A_SOCKET')
      t.is(fs.renameSync, renameSync, 'the move was tried')
      t.is(fs.lstatSync(path).ino, identity)
      if (what === 'a live socket') t.true(await isLive(path))
      await late.close()
      t.deepEqual(await folder.list(), [basename(path)])
    } finally {
      fs.renameSync = renameSync
      fs.renameSync(path, elsewhere)
      await leave()
    }
  })
}

/** Calls `then` once, when the probe has asked whether a process listens there. */
function afterTheQuestion(path: string, then: () => void): () => void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with the socket that it was called on
  const { connect } = net.Socket.prototype
  const asked = function (this: net.Socket, ...args: unknown[]): net.Socket {
    const socket = Reflect.apply(connect, this, args) as net.Socket
    if (typeof args[0] === 'string' && basename(args[0]) === basename(path)) {
      restore()
      then()
    }
    return socket
  }
  const restore = (): void => {
    Object.assign(net.Socket.prototype, { connect })
  }
  Object.assign(net.Socket.prototype, { connect: asked })
  return restore
}

for (const what of ['a live socket', 'a file'] as const) {
  onUnix(
    `${what} that replaces a stale socket during the probe is left alone, whatever its inode number`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      const path = folder.socketPath()
      await leaveStaleSocket(path)
      const { ino } = fs.lstatSync(path)
      fs.utimesSync(path, 1, 1)
      const late = await FileListener.prepare(path)
      // A plain Node server, so that it is bound at once and gets the inode number of the removed file.
      const server = net.createServer((socket) => socket.destroy())
      const restore = afterTheQuestion(path, () => {
        fs.unlinkSync(path)
        if (what === 'a file') fs.writeFileSync(path, 'precious')
        else server.listen(path)
      })
      try {
        await rejects(t, late.publish(), what === 'a file' ? 'ERR_NOT_A_SOCKET' : 'ERR_ADDRESS_IN_USE')
        t.log(fs.lstatSync(path).ino === ino ? 'the number is the same' : 'the number is another')
        if (what === 'a file') t.is(fs.readFileSync(path, 'utf8'), 'precious')
        else t.true(await isLive(path))
      } finally {
        restore()
        await late.close()
        server.close()
      }
    },
  )
}

const obstacles: Readonly<Record<string, (path: string) => () => void>> = {
  'whose place was taken again': (path) => {
    fs.writeFileSync(path, 'another')
    return () => undefined
  },
  'that the system does not let back': () => {
    const { linkSync } = fs
    fs.linkSync = (from, to) => {
      if (basename(String(from)) === 'stale') throw Object.assign(new Error('no'), { code: 'EPERM' })
      linkSync(from, to)
    }
    return () => {
      fs.linkSync = linkSync
    }
  },
}

for (const [what, obstruct] of Object.entries(obstacles)) {
  onUnix(`a replacement ${what} is kept, and the error says where`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    await leaveStaleSocket(path)
    const late = await FileListener.prepare(path)
    const { renameSync } = fs
    let restore = (): void => undefined
    fs.renameSync = (from, to) => {
      renameSync(from, to)
      if (from !== path && basename(String(to)) !== 'stale') return
      fs.renameSync = renameSync
      fs.unlinkSync(to)
      fs.writeFileSync(to, 'precious')
      restore = obstruct(path)
    }
    try {
      const { message } = await rejects(t, late.publish(), 'ERR_ADDRESS_IN_USE')
      const [, kept = ''] = /kept as (\S+) in/.exec(message) ?? []
      await late.close()
      t.is(fs.readFileSync(join(folder.path, kept), 'utf8'), 'precious')
      // The next listen() does not take it for a leftover either.
      const next = await FileListener.prepare(folder.socketPath())
      await next.publish()
      await next.close()
      t.is(fs.readFileSync(join(folder.path, kept), 'utf8'), 'precious')
    } finally {
      fs.renameSync = renameSync
      restore()
      await late.close()
    }
  })
}

onUnix('an empty folder that is named like a lock but is not one stays', async (t) => {
  t.timeout(WATCHDOG_MS)
  const path = folder.socketPath()
  await leaveStaleSocket(path)
  const own = `.s-lock.${basename(path)}`
  for (const name of [own, '.s-lock.mine']) {
    fs.mkdirSync(join(folder.path, name))
    fs.chmodSync(join(folder.path, name), 0o755)
  }
  const listener = await FileListener.prepare(path)
  try {
    await listener.publish()
    t.true(await isLive(path))
  } finally {
    await listener.close()
  }
  t.deepEqual((await folder.list()).sort(), ['.s-lock.mine', own].sort())
})

for (const [what, make] of Object.entries(strangers)) {
  test.serial(`a listener that closes leaves ${what} that has taken its place`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    const engine = await createEngine({ shards: 1 })
    try {
      const listener = await engine.transport(`unix:${path}`).listen()
      fs.unlinkSync(path)
      make(path)
      const before = identityOf(path)
      await listener.close()
      t.is(identityOf(path), before)
    } finally {
      t.is((await engine.close()).leaked, 0)
    }
  })
}

test.serial('a listener that closes never deletes the file of the one that follows it at once', async (t) => {
  t.timeout(WATCHDOG_MS)
  const engine = await createEngine({ shards: 1 })
  const path = folder.socketPath()
  try {
    for (let round = 0; round < 15; round++) {
      const listener = await engine.transport(`unix:${path}`).listen()
      let closed = false
      const closing = listener.close().then(() => {
        closed = true
      })
      let next: FileListener | undefined
      // From the first moment on, until it is its turn.
      while (next === undefined) {
        const candidate = await FileListener.prepare(path)
        const free = closed
        try {
          await candidate.publish()
          next = candidate
        } catch (error) {
          await candidate.close()
          t.is((error as { code?: unknown }).code, 'ERR_ADDRESS_IN_USE')
          t.false(free, 'a closed listener does not prevent the next one')
        }
      }
      await closing
      t.true(await isLive(path), `round ${String(round)}`)
      await next.close()
    }
    t.deepEqual(await folder.list(), [])
  } finally {
    t.is((await engine.close()).leaked, 0)
  }
})

test.serial('a relative socket file is removed after a change of the working folder, too', async (t) => {
  t.timeout(WATCHDOG_MS)
  const home = process.cwd()
  try {
    process.chdir(folder.path)
    const listener = await FileListener.prepare('x.sock')
    await listener.publish()
    process.chdir(home)
    t.deepEqual(await folder.list(), ['x.sock'])
    await listener.close()
    t.deepEqual(await folder.list(), [])
  } finally {
    process.chdir(home)
  }
})

for (const what of ['with /proc', 'without /proc'] as const) {
  onUnix(`a relative socket file is made where its folder was, ${what}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const home = process.cwd()
    const restore = what === 'without /proc' ? withoutProc() : () => undefined
    try {
      process.chdir(folder.path)
      const path = 'x.sock'
      await leaveStaleSocket(path)
      const preparing = FileListener.prepare(path)
      process.chdir(home)
      const listener = await preparing
      await listener.publish()
      t.deepEqual(await folder.list(), [path])
      t.true(await isLive(join(folder.path, path)))
      await listener.close()
      t.deepEqual(await folder.list(), [])
    } finally {
      restore()
      process.chdir(home)
    }
  })
}

test.serial('a socket file has its mode at every moment at which it can be seen, whatever the umask', async (t) => {
  t.timeout(WATCHDOG_MS)
  const umask = process.umask(0)
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const data: ModeWatch = { folder: folder.path, shared }
  const worker = new Worker(new URL('../../helpers/mode-watcher.js', import.meta.url), { workerData: data })
  const seen = new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  try {
    for (let round = 0; round < 60; round++) {
      const path = folder.socketPath()
      // Every other one in place of a stale socket, which that socket's owner had given the same mode.
      if (round % 2 === 1) {
        const former = await FileListener.prepare(path)
        await former.publish()
        const kept = `${folder.path}.kept`
        fs.linkSync(path, kept)
        await former.close()
        fs.renameSync(kept, path)
      }
      const listener = await FileListener.prepare(path)
      await listener.publish()
      const before = Atomics.load(shared, 0)
      await until(() => Atomics.load(shared, 0) > before)
      await listener.close()
    }
    Atomics.store(shared, 1, 1)
    t.deepEqual(await seen, ['folder 700', 'socket 600'])
  } finally {
    Atomics.store(shared, 1, 1)
    process.umask(umask)
    await worker.terminate()
  }
})
