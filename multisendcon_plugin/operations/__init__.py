"""What an admin can ask and do: typed values in, typed values out; knows no HTTP."""
