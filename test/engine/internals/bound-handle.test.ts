import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import test from 'ava'
import { bindHandle, onHandle, sendHandle, type BoundHandle } from '../../../engine/internals/bound-handle.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = process.platform === 'win32' ? test.skip : test

/** Sends back what it gets, then a message without a handle. */
const RETURNER = `
process.once('message', (message, handle) => {
  process.send(message, handle, { keepOpen: true })
  process.send(message)
})
process.once('disconnect', () => process.exit())
`

here('a path that is bound is a socket that does not listen, and cannot be bound twice', async (t) => {
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const handle = bindHandle(path)
  try {
    t.true(fs.fstatSync(handle.fd).isSocket())
    const [error] = (await once(net.connect(path), 'error')) as [NodeJS.ErrnoException]
    t.is(error.code, 'ECONNREFUSED')
    t.throws(() => bindHandle(path), { code: 'EADDRINUSE', message: 'bind EADDRINUSE' })
  } finally {
    handle.close()
    await folder.remove()
  }
})

here('a handle that travels to another process and back is a duplicate', async (t) => {
  const folder = await makeTemporaryFolder()
  const handle = bindHandle(folder.socketPath())
  const child = spawn(process.execPath, ['-e', RETURNER], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const came: (BoundHandle | undefined)[] = []
    await new Promise<void>((resolve, reject) => {
      onHandle(child, (returned) => {
        if (came.push(returned) === 2) resolve()
      })
      sendHandle(child, {}, handle, (error) => {
        if (error !== null) reject(error)
      })
    })
    const [duplicate, none] = came
    t.is(none, undefined)
    t.true(duplicate !== undefined && duplicate.fd !== handle.fd)
    t.is(fs.fstatSync(duplicate?.fd ?? -1).ino, fs.fstatSync(handle.fd).ino)
    duplicate?.close()
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
    handle.close()
    await folder.remove()
  }
})
