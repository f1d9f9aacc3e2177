"""The dock widget Compare subsets."""
