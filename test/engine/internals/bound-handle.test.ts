import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import test from 'ava'
import { bindHandle } from '../../../engine/internals/bound-handle.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = process.platform === 'win32' ? test.skip : test

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
