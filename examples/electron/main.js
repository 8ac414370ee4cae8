/** The main process of Electron: it starts the utility process, asks it, and stops it. */
import { join } from 'node:path'
import { app, utilityProcess } from 'electron'
import { ask } from './ask.js'

async function main() {
  const service = utilityProcess.fork(join(import.meta.dirname, 'utility.js'))
  const exited = new Promise((resolve) => service.once('exit', resolve))
  const endpoint = await new Promise((resolve) => service.once('message', resolve))
  console.log(await ask(endpoint, 'hello'))
  service.postMessage('stop')
  await exited
  app.quit()
}

void app.whenReady().then(main)
