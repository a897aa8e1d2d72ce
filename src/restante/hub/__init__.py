"""The hub: sole author of grants, holds, prices and identities, and the reader of every source's facts."""
