"""Choice of the dtypes of weights, tensor by tensor, by what each costs in accuracy."""
