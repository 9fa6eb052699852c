"""What a page needs beside an API: Puter's library, its sign-in, its socket."""
