/** Programs of Debian's in the image: those of src/dataplane/tools.ts, and what scripts for the shell call (`cat`, `grep`, `sleep`). */
export const programs: readonly string[] = "cat grep hostname ip mkfifo mount nft nsenter setpriv sh sleep ss tini umount unshare".split(" ");
