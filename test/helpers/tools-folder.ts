/** What hosts build and run with: a package of its own, npm ci --ignore-scripts --prefix test/tools */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'

/** Its node_modules. */
export const toolsFolder = resolve(
  process.env['SYMPHONY_TOOLS_FOLDER'] ?? fileURLToPath(new URL('../../../test/tools/node_modules', import.meta.url)),
)

/** Where a tool that is missing is a mistake: `npm run test:tools`. */
const isRequired = process.env['SYMPHONY_TEST_TOOLS'] === 'required'

/** A test that needs a file or folder of those packages. Elsewhere it is skipped. */
export function withTool(path: string, title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (isRequired || existsSync(join(toolsFolder, path))) test.serial(title, body)
  else test.skip(`${title} (test/tools is not installed)`, body)
}
