/** From the name of an engine to the module that measured programs import. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Unfit } from '../../api/cli/options/reader.js'
import { buildCommit } from './built-commit.js'
import { ENTRY, PACKAGE, type EngineSource } from './engine-source.js'
import { runTool, ToolFailure } from './tool.js'

export interface FoundEngine {
  /** In half a line. */
  readonly title: string
  /** Of its `api/index.js`; undefined: this tree's, as it is built. */
  readonly url: string | undefined
}

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** `folder`: of the run, with which it goes. Undefined: this tree. @throws {Unfit} in one line */
export async function findEngine(
  source: EngineSource | undefined,
  folder: string,
  say: (line: string) => void,
): Promise<FoundEngine> {
  if (source === undefined) return { title: 'the working tree', url: undefined }
  switch (source.kind) {
    case 'folder':
      return { title: source.name, url: urlOf(source.path) }
    case 'commit': {
      const { path, title } = await buildCommit(root, source.name, fs.mkdtempSync(join(folder, 'commit-')), say)
      return { title, url: urlOf(path) }
    }
    case 'package':
      say(`installing ${source.name}`)
      return {
        title: source.name,
        url: urlOf(await install(source.name, source.spec, fs.mkdtempSync(join(folder, 'package-')))),
      }
  }
}

async function install(name: string, spec: string, folder: string): Promise<string> {
  fs.writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  try {
    await runTool('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', spec], folder)
  } catch (error) {
    if (error instanceof ToolFailure) throw new Unfit(`${name} cannot be installed: ${error.message}`)
    throw error
  }
  const path = join(folder, 'node_modules', PACKAGE)
  if (fs.existsSync(join(path, ENTRY))) return path
  throw new Unfit(`${name} has no ${ENTRY}: it is not ${PACKAGE}`)
}

function urlOf(path: string): string {
  return pathToFileURL(join(path, ENTRY)).href
}
