/** keys: API keys and their whole life. Each group of verbs is in a file of its own. */
import type { Define } from '../cli.ts'
import { defineBulk } from './bulk.ts'
import { defineChange } from './change.ts'
import { defineCheck } from './check.ts'
import { defineCreate } from './create.ts'
import { defineExport } from './export.ts'
import { defineImport } from './import.ts'
import { definePeppers } from './peppers.ts'
import { defineRead } from './read.ts'
import { defineRegex } from './regex.ts'
import { defineRotate } from './rotate.ts'

export const define: Define = (command, cli) => {
  for (const part of [
    defineCreate,
    defineRead,
    defineChange,
    defineRotate,
    defineBulk,
    defineImport,
    defineExport,
    defineCheck,
    defineRegex,
    definePeppers,
  ])
    part(command, cli)
}
