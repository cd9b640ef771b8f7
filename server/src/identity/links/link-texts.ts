/** What e-mails say, all in one place. `link` is the address that is followed, `account` what the person signs in with. */
interface Words {
  readonly link: string
  /** The host of this deployment. */
  readonly here: string
}

interface Text {
  readonly subject: string
  readonly text: string
}

const NOT_YOU = 'If you did not ask for this, ignore it: nothing happens without the link.'
const SAME_BROWSER = 'It works once, for fifteen minutes, in the browser in which you asked for it.'

export const LINK_TEXTS = {
  sign_in_link: ({ link, here }: Words): Text => ({
    subject: `Sign in to ${here}`,
    text: `Follow this link to sign in to ${here}:\n\n${link}\n\n${SAME_BROWSER}\n\n${NOT_YOU}\n`,
  }),
  reset: ({ link, here }: Words): Text => ({
    subject: `A new password for ${here}`,
    text: `Follow this link to set a new password for ${here}:\n\n${link}\n\n${SAME_BROWSER}\n\n${NOT_YOU}\n`,
  }),
  verify_email: ({ link, here }: Words): Text => ({
    subject: `Is this your address? – ${here}`,
    text: `Follow this link to show ${here} that this address is yours:\n\n${link}\n\n${SAME_BROWSER}\n\n${NOT_YOU}\n`,
  }),
  sign_up: ({ link, here }: Words): Text => ({
    subject: `Your account on ${here}`,
    text: `Follow this link to make your account on ${here}:\n\n${link}\n\n${SAME_BROWSER}\n\n${NOT_YOU}\n`,
  }),
} as const

/** Somebody asked to sign up with an address that has an account: only its reader learns that. */
export function alreadySignedUp({ link, here }: Words): Text {
  return {
    subject: `You have an account on ${here}`,
    text: `Somebody asked for an account on ${here} with this address. You have one already; sign in here:\n\n${link}\n\nIf that was not you, ignore this.\n`,
  }
}
