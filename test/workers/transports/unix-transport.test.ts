/** Dialling in a folder that has to be the user's alone, while another is put in its place. */
import fs from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import type { UnixTarget } from '../../../engine/protocol/target.js'
import type { MainSide } from '../../../workers/shard-transport.js'
import type { Wire } from '../../../workers/wire.js'
import { unixTransport } from '../../../workers/transports/unix.js'
import { rejects } from '../../helpers/expected-errors.js'
import { Taker } from '../../helpers/taker.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'
import { withoutProc } from '../../helpers/without-proc.js'

const WATCHDOG_MS = 20_000
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

failOnWarnings()

/** This transport does not use it. */
const noMain: MainSide = { releaseStdio: () => Promise.reject(new Error('there is no main thread')) }

interface Stage {
  readonly dial: () => Promise<Wire>
  readonly owner: Taker
  /** Puts the other folder in the place of the first. */
  readonly swap: () => void
  /** Which listener was connected to: in the first folder, or in the other. */
  readonly came: { ours: number; theirs: number }
}

async function stage(t: ExecutionContext, body: (stage: Stage) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = join(folder.path, 'private')
  const other = join(folder.path, 'other')
  const came = { ours: 0, theirs: 0 }
  const servers: net.Server[] = []
  const listen = async (at: string, who: keyof typeof came): Promise<void> => {
    fs.mkdirSync(at, { mode: 0o700 })
    const server = net.createServer((socket) => {
      came[who]++
      socket.on('error', () => undefined).resume()
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(join(at, 'x.sock'), resolve))
  }
  const owner = new Taker()
  const target: UnixTarget = { kind: 'unix', path: join(path, 'x.sock'), within: { path, base: undefined } }
  try {
    await listen(path, 'ours')
    await listen(other, 'theirs')
    await body({
      dial: () => unixTransport.dial(target, owner, noMain).connected,
      owner,
      swap: () => {
        fs.renameSync(path, `${path}.gone`)
        fs.renameSync(other, path)
      },
      came,
    })
  } finally {
    for (const server of servers) server.close()
    await folder.remove()
  }
}

/** Calls `then` once, when the folder has been checked. */
function afterTheLook(then: () => void): () => void {
  const { fstatSync } = fs
  fs.fstatSync = ((...args: Parameters<typeof fstatSync>) => {
    const stat = fstatSync(...args)
    fs.fstatSync = fstatSync
    then()
    return stat
  }) as typeof fstatSync
  return () => {
    fs.fstatSync = fstatSync
  }
}

onLinux('a folder that replaces the checked one is not used to connect', async (t) => {
  await stage(t, async ({ dial, owner, swap, came }) => {
    const restore = afterTheLook(swap)
    try {
      const wire = await dial()
      await until(() => came.ours === 1)
      t.is(came.theirs, 0)
      wire.destroy()
      await until(() => owner.calls.includes('close'))
    } finally {
      restore()
    }
  })
})

onUnix('without /proc a folder that was replaced meanwhile is noticed, and nothing is sent', async (t) => {
  await stage(t, async ({ dial, owner, swap, came }) => {
    const putBack = withoutProc()
    const restore = afterTheLook(swap)
    try {
      const error = await rejects(t, dial(), 'ERR_ACCESS')
      t.regex(error.message, /was replaced meanwhile/)
      await until(() => came.theirs === 1)
      t.deepEqual(owner.calls, [], 'the lane was never used')
    } finally {
      restore()
      putBack()
    }
  })
})

onUnix('without /proc a folder that stays is used to connect', async (t) => {
  await stage(t, async ({ dial, owner, came }) => {
    const putBack = withoutProc()
    try {
      const wire = await dial()
      await until(() => came.ours === 1)
      wire.destroy()
      await until(() => owner.calls.includes('close'))
      t.is(came.theirs, 0)
    } finally {
      putBack()
    }
  })
})

onUnix('a dial that the system refuses at once leaves no folder open', async (t) => {
  await stage(t, ({ dial }) => {
    const { connect } = net
    const { openSync, closeSync } = fs
    let open = 0
    const restore = (): void => {
      Object.assign(net, { connect })
      Object.assign(fs, { openSync, closeSync })
    }
    Object.assign(net, {
      connect: () => {
        throw Object.assign(new Error('no'), { code: 'ERR_ACCESS_DENIED' })
      },
    })
    Object.assign(fs, {
      openSync: (...args: Parameters<typeof openSync>) => {
        const descriptor = openSync(...args)
        open++
        return descriptor
      },
      closeSync: (descriptor: number) => {
        closeSync(descriptor)
        open--
      },
    })
    try {
      t.throws(dial, { message: 'no' })
    } finally {
      restore()
    }
    t.is(open, 0)
    return Promise.resolve()
  })
})
