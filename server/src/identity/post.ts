/** E-mails, as this module sends them: `Mailer` of mail. */
import type { Transaction } from '../storage/index.ts'

export interface Post {
  /** Written with the rest of the transaction. */
  put(
    tx: Transaction,
    message: { readonly to: string; readonly subject: string; readonly text: string },
  ): Promise<void>
  /** Sends what has been written. */
  flush(): Promise<void>
}
