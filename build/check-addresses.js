/** Runs before the package is published: readers of the registry's page need to find where it is developed. */
import fs from 'node:fs'
import process from 'node:process'

const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8'))
const missing = ['repository', 'bugs', 'homepage'].filter((field) => manifest[field] === undefined)
if (missing.length > 0) {
  process.stderr.write(
    `Not published: package.json has no ${missing.join(', ')}. Add the address of this repository, then publish.\n`,
  )
  process.exitCode = 1
}
