/** Options that several commands share, and the way from a parser's Error to a usage error that names the option. */
import { InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './duration.ts'
import { addMetadata } from './metadata.ts'
import { type Expiry, parseExpiry, parseTime } from './time.ts'

interface Clock {
  nowMs(): number
}

export function parsedOption<T>(
  flags: string,
  description: string,
  parse: (text: string, before?: T) => T,
): Option {
  return new Option(flags, description).argParser((text: string, before: T | undefined) => {
    try {
      return parse(text, before)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  })
}

export function durationOption(flags: string, description: string): Option {
  return parsedOption(flags, description, parseDuration)
}

export function timeOption(flags: string, description: string, clock: Clock): Option {
  return parsedOption(flags, description, (text) => parseTime(text, clock.nowMs()))
}

export function expiryOption(clock: Clock, description = 'when it ends: 30d, a time, or never'): Option {
  return parsedOption<Expiry>('--expires <when>', description, (text) => parseExpiry(text, clock.nowMs()))
}

export function metadataOption(): Option {
  return parsedOption(
    '--metadata <name=value>',
    'what you keep with it; again for more, or one JSON object',
    addMetadata,
  )
}

/** An option that may be given again, and with several values divided by spaces: none of them can hold one. */
export function listOption(flags: string, description: string): Option {
  return parsedOption<string[]>(flags, description, (text, before = []) => [
    ...before,
    ...text.split(/\s+/).filter((word) => word !== ''),
  ])
}

export function countOption(flags: string, description: string, from: number, to: number): Option {
  return parsedOption(flags, description, (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= from && value <= to)) throw new Error(`Expected a whole number from ${from} to ${to}.`)
    return value
  })
}
